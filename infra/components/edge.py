from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.components.domain import Domain, DomainSettings
from infra.components.network import LISTENER_PORT, Network
from infra.documents.routing import TIMEOUT_SECONDS
from services.web.rate_limits import CLIENT_ADDRESS_HEADER

if TYPE_CHECKING:
    from infra.documents.names import StackNames

ACCESS_LOG = {
    "requestId": "$context.requestId",
    "ip": "$context.identity.sourceIp",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "error": "$context.error.message",
    "integrationError": "$context.integrationErrorMessage",
}
"""Fields of the access log. Headers and queries are left out, since they contain tokens and signatures."""

REQUEST_PARAMETERS = {f"overwrite:header.{CLIENT_ADDRESS_HEADER.lower()}": "$context.identity.sourceIp"}
"""The API overwrites this header, so a client can't set it (AWS: "Transform API requests and responses for HTTP
APIs").
"""


class Edge(pulumi.ComponentResource):
    """An HTTP API, with HTTPS on a domain of AWS or the operator's, and the internal load balancer behind it.

    `own_endpoint`: whether the API can be called at its domain of AWS. An update that adds the operator's domain can't
    disable that afterwards, because the mapping of the domain depends on the API.
    """

    def __init__(
        self,
        name: str,
        *,
        network: Network,
        domain: DomainSettings | None,
        own_endpoint: bool,
        names: StackNames,
        requests_per_second: int,
        log_days: int,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:Edge", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        if domain and own_endpoint:
            pulumi.log.info("The API also has its domain of AWS until the next `pulumi up`, which disables that.", self)
        api = aws.apigatewayv2.Api(
            name, protocol_type="HTTP", disable_execute_api_endpoint=not own_endpoint, opts=child_opts
        )
        self.api_id = api.id

        balancer = aws.lb.LoadBalancer(
            name,
            internal=True,
            load_balancer_type="application",
            security_groups=[network.balancer_group_id],
            subnets=network.subnet_ids,
            drop_invalid_header_fields=True,
            enable_deletion_protection=False,
            opts=child_opts,
        )
        listener = aws.lb.Listener(
            name,
            load_balancer_arn=balancer.arn,
            port=LISTENER_PORT,
            protocol="HTTP",
            # Each service has a listener rule. The rule of the frontend matches every path.
            default_actions=[
                {
                    "type": "fixed-response",
                    "fixed_response": {"content_type": "text/plain", "status_code": "404", "message_body": "Not found"},
                }
            ],
            opts=child_opts,
        )
        self.listener_arn = listener.arn
        self.balancer_suffix = balancer.arn_suffix
        self.internal_url = pulumi.Output.concat("http://", balancer.dns_name)

        link = aws.apigatewayv2.VpcLink(
            name, security_group_ids=[network.link_group_id], subnet_ids=network.subnet_ids, opts=child_opts
        )
        integration = aws.apigatewayv2.Integration(
            name,
            api_id=api.id,
            integration_type="HTTP_PROXY",
            integration_method="ANY",
            integration_uri=listener.arn,
            connection_type="VPC_LINK",
            connection_id=link.id,
            payload_format_version="1.0",
            timeout_milliseconds=1000 * TIMEOUT_SECONDS,
            request_parameters=REQUEST_PARAMETERS,
            opts=child_opts,
        )
        route = aws.apigatewayv2.Route(
            name,
            api_id=api.id,
            route_key="$default",
            target=pulumi.Output.concat("integrations/", integration.id),
            opts=child_opts,
        )
        logs = aws.cloudwatch.LogGroup(
            f"{name}-access",
            name=names.log_group("access"),
            retention_in_days=log_days,
            # As in `task.py`.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["name"]),
        )
        stage = aws.apigatewayv2.Stage(
            name,
            api_id=api.id,
            name="$default",
            auto_deploy=True,
            default_route_settings={
                "throttling_rate_limit": requests_per_second,
                "throttling_burst_limit": 2 * requests_per_second,
            },
            access_log_settings={"destination_arn": logs.arn, "format": pulumi.Output.json_dumps(ACCESS_LOG)},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[route]),
        )
        own_domain = Domain(f"{name}-domain", settings=domain, opts=child_opts) if domain else None
        self.cname_target = own_domain.target if own_domain else None
        # There is one origin: tokens, cookies and the bucket's CORS rules are valid for no other.
        self.origin = own_domain.add_api(stage) if own_domain else api.api_endpoint
        self.register_outputs({"origin": self.origin})
