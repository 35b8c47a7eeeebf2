// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// logs waits until a collector that goes on running has logged a text.
func logs(t testing.TB, collector *process, text string) {
	t.Helper()
	eventually(t, func() error {
		if err := collector.ended(); err != nil {
			return err
		}
		if output := collector.output.String(); !strings.Contains(output, text) {
			return fmt.Errorf("the log has no %q:\n%s", text, output)
		}
		return nil
	})
}

// What is wrong with the broker or its configuration is an error that names the action.
func TestRabbitMQ_ErrorsNameTheAction(t *testing.T) {
	t.Parallel()
	set := rabbitTier{server: startRabbitMQ(t), windows: startWindowSink(t)}
	set.server.control(t, "add_user", "nobody", "nobody")
	stream := func(scheme string, port int) string { return fmt.Sprintf("endpoint: %s://127.0.0.1:%d", scheme, port) }
	for name, test := range map[string]struct{ change, want string }{
		"stream":           {"stream: none", "the stream does not exist. The rabbitmq_stream exporter creates the streams"},
		"credentials":      {"auth::password: wrong", "cannot connect as user ccaas"},
		"permissions":      {"auth: {username: nobody, password: nobody}", "rabbitmqctl set_permissions gives a user access"},
		"unreachable":      {stream("rabbitmq-stream", freePort(t)), "has the plugin rabbitmq_stream enabled"},
		"port":             {stream("rabbitmq-stream", set.server.amqp), "Its port is 5552, with TLS 5551; 5672 is that of AMQP"},
		"TLS port":         {stream("rabbitmq-stream+tls", set.server.stream), "Check that the port is that of TLS, 5551"},
		"authority":        {stream("rabbitmq-stream+tls", set.server.secureStream), "Set tls::ca_file to the authority"},
		"AMQP":             {fmt.Sprintf("amqp_endpoint: amqp://127.0.0.1:%d", freePort(t)), "its AMQP port is 5672, with TLS 5671"},
		"AMQP's authority": {fmt.Sprintf("amqp_endpoint: amqps://127.0.0.1:%d", set.server.secureAMQP), "Set tls::ca_file to the authority"},
	} {
		t.Run("window collector/"+name, func(t *testing.T) {
			t.Parallel()
			logs(t, set.startWindows(t, "receivers::ccaas_rabbitmq::"+test.change), test.want)
		})
	}
	for name, test := range map[string]struct{ change, want string }{
		"stream":       {"create: false", "the stream does not exist; create it, or set create: true"},
		"credentials":  {"auth::password: wrong", "user ccaas: username or password is wrong"},
		"permissions":  {"auth: {username: nobody, password: nobody}", "the virtual host does not exist, or the user has no permission in it"},
		"virtual host": {"virtual_host: none", "the virtual host does not exist"},
		"unreachable":  {stream("rabbitmq-stream", freePort(t)), "has the plugin rabbitmq_stream enabled"},
		"authority":    {stream("rabbitmq-stream+tls", set.server.secureStream), "Set tls::ca_file to the authority"},
	} {
		t.Run("ingest collector/"+name, func(t *testing.T) {
			t.Parallel()
			platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
			logs(t, set.startIngest(t, platform, t.TempDir(), "exporters::rabbitmq_stream::"+test.change), test.want)
		})
	}
}

// A server without the plugin is reported by both collectors, and used once it is enabled.
func TestRabbitMQ_PluginIsEnabledLater(t *testing.T) {
	t.Parallel()
	platforms := twoPlatforms(t, 200, 1_000)
	set := rabbitTier{server: startRabbitMQ(t), windows: startWindowSink(t)}
	set.server.plugin(t, "disable")
	window := set.startWindows(t)
	for _, platform := range platforms {
		logs(t, set.startIngest(t, platform, t.TempDir()), "has the plugin rabbitmq_stream enabled")
	}
	logs(t, window, "has the plugin rabbitmq_stream enabled")
	set.server.plugin(t, "enable")
	truth := truthOf(t, platforms)
	eventually(t, func() error { return set.windows.disagreement(truth) })
	set.windows.check(t, truth)
}

// Both tiers work over TLS, on the stream port and on that of AMQP.
func TestRabbitMQ_TLS(t *testing.T) {
	t.Parallel()
	platforms := twoPlatforms(t, 500, 2_000)
	set := rabbitTier{server: startRabbitMQ(t), windows: startWindowSink(t)}
	secure := func(component string) []string {
		return []string{
			fmt.Sprintf("%s::endpoint: rabbitmq-stream+tls://127.0.0.1:%d", component, set.server.secureStream),
			fmt.Sprintf("%s::tls::ca_file: %s", component, set.server.certificate),
		}
	}
	for _, platform := range platforms {
		set.startIngest(t, platform, t.TempDir(), secure("exporters::rabbitmq_stream")...)
	}
	set.startWindows(t, append(secure("receivers::ccaas_rabbitmq"),
		fmt.Sprintf("receivers::ccaas_rabbitmq::amqp_endpoint: amqps://127.0.0.1:%d", set.server.secureAMQP))...)
	truth := truthOf(t, platforms)
	eventually(t, func() error { return set.windows.disagreement(truth) })
	set.windows.check(t, truth)
	assert.Contains(t, set.server.control(t, "list_stream_connections", "ssl"), "true")
	assert.NotContains(t, set.server.control(t, "list_stream_connections", "ssl"), "false")
}

// A broker that hangs does not hold up SIGTERM, also not one that has blocked publishers before.
func TestFaultRabbitMQ_HangsAtSIGTERM(t *testing.T) {
	t.Parallel()
	platforms := twoPlatforms(t, 300, 0)
	set := startRabbitTier(t)
	ingest := []*process{set.startIngest(t, platforms[0], t.TempDir()), set.startIngest(t, platforms[1], t.TempDir())}
	// SIGTERM does not wait for the end of the session, which is far beyond the test's patience. The broker would shorten it.
	set.server.control(t, "eval", "application:set_env(rabbit, heartbeat, 600).")
	window := set.startWindows(t, "receivers::ccaas_rabbitmq::session_timeout: 10m")
	set.windows.waitFor(t, 20)
	set.server.signal(syscall.SIGSTOP)
	time.Sleep(2 * time.Second) // into an attempt
	for name, collector := range map[string]*process{"ingest": ingest[0], "window": window} {
		require.NoError(t, collector.ended())
		stopped := time.Now()
		collector.stop(t)
		assert.True(t, collector.ProcessState.Exited(), "the %s collector had to be killed", name)
		measured(t, "SIGTERM while RabbitMQ hangs: %s collector ended after %.1f s", name, time.Since(stopped).Seconds())
	}
	set.server.signal(syscall.SIGCONT)

	set.server.alarm(t, true)
	time.Sleep(2 * time.Second)
	require.NoError(t, ingest[1].ended())
	stopped := time.Now()
	ingest[1].stop(t)
	assert.True(t, ingest[1].ProcessState.Exited(), "the ingest collector had to be killed")
	measured(t, "SIGTERM while RabbitMQ blocks publishers: ingest collector ended after %.1f s", time.Since(stopped).Seconds())
}
