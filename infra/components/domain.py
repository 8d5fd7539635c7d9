from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, slots=True)
class DomainSettings:
    """A domain name with a certificate, a Route 53 hosted zone, or both."""

    name: str
    certificate: str | None
    """ARN of its ACM certificate."""
    hosted_zone: str | None


class Domain(pulumi.ComponentResource):
    """A custom domain name. `add_api` makes it that of the HTTP API.

    With a hosted zone, the certificate and the DNS records are created. Otherwise the operator creates a CNAME record
    for `target`.
    """

    def __init__(self, name: str, *, settings: DomainSettings, opts: pulumi.ResourceOptions) -> None:
        super().__init__("three-phase-upload:infra:Domain", name, None, opts)
        self._name = name
        child_opts = pulumi.ResourceOptions(parent=self)
        domain = aws.apigatewayv2.DomainName(
            name,
            domain_name=settings.name,
            domain_name_configuration={
                "certificate_arn": settings.certificate or self._make_certificate(name, settings),
                "endpoint_type": "REGIONAL",
                "security_policy": "TLS_1_2",
            },
            opts=child_opts,
        )
        self._domain_name = domain.domain_name
        configuration = domain.domain_name_configuration
        self.target: pulumi.Output[str] = configuration.target_domain_name.apply(lambda target: target or "")
        self._records: list[pulumi.Resource] = []
        if settings.hosted_zone:
            record = aws.route53.Record(
                name,
                zone_id=settings.hosted_zone,
                name=settings.name,
                type="A",
                aliases=[
                    {
                        "name": self.target,
                        "zone_id": configuration.hosted_zone_id.apply(lambda zone: zone or ""),
                        "evaluate_target_health": False,
                    }
                ],
                opts=child_opts,
            )
            self._records.append(record)
        self.register_outputs({"target": self.target})

    def add_api(self, stage: aws.apigatewayv2.Stage) -> pulumi.Output[str]:
        """Return the origin. Pulumi knows it once the domain's record and the mapping exist."""
        mapping = aws.apigatewayv2.ApiMapping(
            self._name,
            api_id=stage.api_id,
            domain_name=self._domain_name,
            stage=stage.name,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._records),
        )
        return pulumi.Output.concat("https://", mapping.domain_name)

    def _make_certificate(self, name: str, settings: DomainSettings) -> pulumi.Output[str]:
        """The ARN of a new certificate, once ACM has found the record that proves who owns the domain."""
        child_opts = pulumi.ResourceOptions(parent=self)
        certificate = aws.acm.Certificate(name, domain_name=settings.name, validation_method="DNS", opts=child_opts)
        proof = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            f"{name}-validation",
            zone_id=settings.hosted_zone or "",
            name=proof.resource_record_name.apply(lambda found: found or ""),
            type=proof.resource_record_type.apply(lambda found: found or ""),
            records=[proof.resource_record_value.apply(lambda found: found or "")],
            ttl=300,
            # ACM asks for the same record for every certificate of a domain and account.
            allow_overwrite=True,
            opts=child_opts,
        )
        return aws.acm.CertificateValidation(
            name, certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=child_opts
        ).certificate_arn
