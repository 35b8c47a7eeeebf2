// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
)

// rabbit is a RabbitMQ of one node, on loopback.
type rabbit struct {
	stream, amqp             int // ports
	secureStream, secureAMQP int // ports of TLS
	certificate              string
	folder                   string
	environment              []string
	server                   *process
}

// rabbitUser is the user of these tests; RabbitMQ makes it at the first start.
const rabbitUser, rabbitPassword = "ccaas", "p@ss/w%rd"

// rabbitPrograms are where Debian has RabbitMQ's own programs. Those on the path want to be the user rabbitmq.
const rabbitPrograms = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/"

// startRabbitMQ starts a RabbitMQ that ends with the test.
func startRabbitMQ(t testing.TB) *rabbit {
	t.Helper()
	installed(t, "RabbitMQ", "rabbitmq-server-of-debian", rabbitPrograms+"rabbitmq-server")
	r := &rabbit{stream: freePort(t), amqp: freePort(t), secureStream: freePort(t), secureAMQP: freePort(t), folder: serverFolder(t)}
	var key string
	r.certificate, key = certify(t, r.folder)
	disown(t, key)
	disown(t, r.certificate)
	epmd, dist := freePort(t), freePort(t)
	for name, content := range map[string]string{
		"enabled_plugins": "[rabbitmq_stream].",
		"rabbitmq.conf": fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
stream.listeners.tcp.1 = 127.0.0.1:%d
stream.advertised_host = 127.0.0.1
stream.advertised_port = %[2]d
listeners.ssl.1 = 127.0.0.1:%d
stream.listeners.ssl.1 = 127.0.0.1:%d
stream.advertised_tls_host = 127.0.0.1
stream.advertised_tls_port = %[4]d
ssl_options.cacertfile = %[5]s
ssl_options.certfile = %[5]s
ssl_options.keyfile = %s
default_user = %s
default_pass = %s
log.console = true
log.file = false
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MiB
`, r.amqp, r.stream, r.secureAMQP, r.secureStream, r.certificate, key, rabbitUser, rabbitPassword),
	} {
		path := filepath.Join(r.folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		disown(t, path)
	}
	r.environment = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + r.folder,
		fmt.Sprintf("RABBITMQ_NODENAME=e2e%d@localhost", r.amqp),
		"ERL_EPMD_ADDRESS=127.0.0.1", fmt.Sprintf("ERL_EPMD_PORT=%d", epmd), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", dist),
		"RABBITMQ_MNESIA_BASE=" + r.folder, "RABBITMQ_LOG_BASE=" + r.folder,
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(r.folder, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(r.folder, "enabled_plugins"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
	}
	// The port mapper that Erlang would start by itself would remain.
	mapper := exec.CommandContext(context.Background(), "epmd", "-port", strconv.Itoa(epmd), "-address", "127.0.0.1")
	startCommand(t, "epmd", unprivileged(t, mapper, r.folder))
	r.start(t)
	t.Cleanup(func() { r.signal(syscall.SIGKILL) })
	return r
}

func (r *rabbit) command(t testing.TB, program string, arguments ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(context.Background(), installed(t, "RabbitMQ", "rabbitmq-of-debian", rabbitPrograms+program), arguments...)
	command.Env = r.environment
	unprivileged(t, command, r.folder)
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true
	return command
}

// start starts the server where it was, and waits until it accepts clients.
func (r *rabbit) start(t testing.TB) {
	t.Helper()
	r.server = startCommand(t, "rabbitmq", r.command(t, "rabbitmq-server"))
	printed, since := 0, time.Now() // it says what it does, and a busy machine makes it slow
	for text := ""; !strings.Contains(text, "Server startup complete"); time.Sleep(50 * time.Millisecond) {
		if text = r.server.output.String(); len(text) > printed {
			printed, since = len(text), time.Now()
		}
		require.Less(t, time.Since(since), patience, "RabbitMQ is not ready, and prints nothing more")
	}
}

// signal sends a signal to the server, which is several processes.
func (r *rabbit) signal(signal syscall.Signal) { _ = syscall.Kill(-r.server.Process.Pid, signal) }

// kill ends the server at once.
func (r *rabbit) kill(t testing.TB) {
	t.Helper()
	r.signal(syscall.SIGKILL)
	_ = r.server.Wait()
}

// control runs rabbitmqctl.
func (r *rabbit) control(t testing.TB, arguments ...string) string {
	t.Helper()
	out, err := r.command(t, "rabbitmqctl", append([]string{"-q"}, arguments...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// plugin enables or disables the plugin of streams, in the running server.
func (r *rabbit) plugin(t testing.TB, action string) {
	t.Helper()
	out, err := r.command(t, "rabbitmq-plugins", "-q", action, "rabbitmq_stream").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// alarm makes the server block publishers, as if its disk were full.
func (r *rabbit) alarm(t testing.TB, raised bool) {
	t.Helper()
	limit := "50MB"
	if raised {
		limit = "900000GB"
	}
	r.control(t, "set_disk_free_limit", limit)
	eventually(t, func() error {
		if blocked := strings.Contains(r.control(t, "eval", "rabbit_alarm:get_alarms()."), "disk"); blocked != raised {
			return fmt.Errorf("alarm: %v, want %v", blocked, raised)
		}
		return nil
	})
}

func (r *rabbit) options() rabbitstream.Options {
	return rabbitstream.Options{
		Address: fmt.Sprintf("127.0.0.1:%d", r.stream), Username: rabbitUser, Password: rabbitPassword, VirtualHost: "/",
		Name: "test", Heartbeat: 5 * time.Second, Timeout: 10 * time.Second,
	}
}

func (r *rabbit) dial(t testing.TB) *rabbitstream.Conn {
	t.Helper()
	conn, err := rabbitstream.Dial(t.Context(), r.options())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// messages returns what a partition holds, from its first message on, in order.
func (r *rabbit) messages(t testing.TB, stream string, partition int) (found [][]byte) {
	t.Helper()
	conn, name := r.dial(t), rabbitmq.StreamName(stream, partition)
	defer conn.Close()
	if _, err := conn.Leader(t.Context(), name); err != nil {
		return nil // it does not exist, or has no leader yet
	}
	last := make(chan *rabbitstream.Chunk, 10)
	require.NoError(t, conn.Subscribe(t.Context(), 0, name, rabbitstream.Last, 1, func(c *rabbitstream.Chunk) { last <- c }))
	var end int64
	select {
	case chunk := <-last:
		end = chunk.Next()
	case <-time.After(time.Second):
		return nil // it is empty
	}
	chunks := make(chan *rabbitstream.Chunk, 10)
	require.NoError(t, conn.Subscribe(t.Context(), 1, name, rabbitstream.First, 5, func(c *rabbitstream.Chunk) { chunks <- c }))
	for {
		select {
		case chunk := <-chunks:
			chunk.Messages(func(_ int64, message []byte, err error) {
				require.NoError(t, err)
				data, err := rabbitstream.Data(message)
				require.NoError(t, err)
				found = append(found, data)
			})
			if chunk.Next() >= end {
				return found
			}
			require.NoError(t, conn.Credit(1, 1))
		case <-time.After(patience):
			require.FailNow(t, "the stream is not delivered")
		}
	}
}
