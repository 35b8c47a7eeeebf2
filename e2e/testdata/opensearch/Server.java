// One node of OpenSearch without its distribution, on loopback: Server HOME HTTP_PORT TRANSPORT_PORT.

import java.util.List;
import java.util.Map;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

public class Server extends Node {
  private Server(Settings settings) {
    super(
        InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "e2e"),
        List.of(Netty4Plugin.class, CommonAnalysisPlugin.class),
        true);
  }

  public static void main(String[] arguments) throws Exception {
    Settings.Builder settings = Settings.builder();
    Map.of(
            "path.home", arguments[0],
            "http.port", arguments[1],
            "transport.port", arguments[2],
            "http.type", "netty4",
            "transport.type", "netty4",
            "network.host", "127.0.0.1",
            "discovery.type", "single-node",
            "cluster.name", "e2e",
            "cluster.routing.allocation.disk.threshold_enabled", "false")
        .forEach(settings::put);
    Node node = new Server(settings.build()).start();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    node.close();
                  } catch (Exception e) {
                    e.printStackTrace();
                  }
                }));
    Thread.currentThread().join();
  }
}
