import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Sends requests with the JDK's client in its default settings, which asks for HTTP/2 in the first request to a server.
 * Each request is three arguments: the URL, the file with its body, and its content type. An Authorization header is the
 * first argument, which the requests to other hosts than the first one's do not get. Each body is sent twice: with its
 * length and in chunks.
 */
class Upload {
    public static void main(String[] arguments) throws Exception {
        for (int i = 1; i < arguments.length; i += 3) {
            byte[] body = Files.readAllBytes(Path.of(arguments[i + 1]));
            List<BodyPublisher> framings = new ArrayList<>();
            framings.add(BodyPublishers.ofByteArray(body));
            if (!arguments[i + 2].startsWith("multipart")) {
                framings.add(BodyPublishers.fromPublisher(BodyPublishers.ofByteArray(body)));
            }
            for (BodyPublisher framing : framings) {
                HttpRequest.Builder request =
                        HttpRequest.newBuilder(URI.create(arguments[i])).header("Content-Type", arguments[i + 2]);
                if (!arguments[i + 2].startsWith("multipart")) {
                    request.header("Authorization", arguments[0]);
                }
                // A new client each time, since only the first request to a server asks for HTTP/2.
                HttpClient client = HttpClient.newHttpClient();
                System.out.println(client.send(request.POST(framing).build(), BodyHandlers.discarding()).statusCode());
            }
        }
    }
}
