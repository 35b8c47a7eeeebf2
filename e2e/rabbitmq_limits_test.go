// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// Messages that are not OTLP, some of them no AMQP either, are counted as violations of their partition. The others are counted as if
// there were none.
func TestRabbitMQ_PoisonMessages(t *testing.T) {
	t.Parallel()
	platforms := twoPlatforms(t, 500, 5_000)
	set := startRabbitTier(t, platforms...)
	claims(t, set.startWindows(t))
	conn := set.server.dial(t)
	for partition := range 12 {
		name := rabbitmq.StreamName("ccaas_events", partition)
		confirmed := make(chan struct{}, 10)
		require.NoError(t, conn.DeclarePublisher(t.Context(), uint8(partition), "", name, func(ids []uint64, _ error) {
			for range ids {
				confirmed <- struct{}{}
			}
		}))
		poison := [][]byte{{}, []byte("no AMQP"), rabbitstream.AppendMessage(nil, []byte("no OTLP"))}
		for i, message := range poison {
			require.NoError(t, conn.Publish(uint8(partition), []rabbitstream.Entry{{ID: uint64(i + 1), Content: message}}))
		}
		for range poison {
			<-confirmed
		}
	}
	truth := truthOf(t, platforms)
	eventually(t, func() error {
		if err := set.windows.disagreement(truth); err != nil {
			return err
		}
		set.windows.mutex.Lock()
		defer set.windows.mutex.Unlock()
		var errs []error
		for partition := range 12 {
			series := sim.Series{TenantID: "unknown", Region: rabbitmq.StreamName("ccaas_events", partition), ChannelType: "unknown"}
			if len(set.windows.bySeries[series]) == 0 {
				errs = append(errs, fmt.Errorf("%v has no window", series))
			}
		}
		return errors.Join(errs...)
	})
}

// What is wrong with the broker or its configuration is an error that names the action.
func TestRabbitMQ_ErrorsNameTheAction(t *testing.T) {
	t.Parallel()
	set := rabbitTier{server: startRabbitMQ(t), windows: startWindowSink(t)}
	set.server.control(t, "add_user", "nobody", "nobody")
	for name, test := range map[string]struct{ change, want string }{
		"stream":      {"receivers::ccaas_rabbitmq::stream: none", "the stream does not exist. The rabbitmq_stream exporter creates the streams"},
		"credentials": {"receivers::ccaas_rabbitmq::auth::password: wrong", "cannot connect as user ccaas"},
		"permissions": {"receivers::ccaas_rabbitmq::auth: {username: nobody, password: nobody}", "rabbitmqctl set_permissions gives a user access"},
		"plugin":      {fmt.Sprintf("receivers::ccaas_rabbitmq::endpoint: rabbitmq-stream://127.0.0.1:%d", freePort(t)), "has the plugin rabbitmq_stream enabled"},
		"port":        {fmt.Sprintf("receivers::ccaas_rabbitmq::endpoint: rabbitmq-stream://127.0.0.1:%d", set.server.amqp), "Its port is 5552, with TLS 5551; 5672 is that of AMQP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collector := start(t, "otelcol-ccaas", append(set.environment(t), "SINK="+set.windows.url, "PROMETHEUS_URL="+set.windows.url),
				"--config", "../config/rabbitmq-window.yaml", "--config", "testdata/rabbitmq/window.yaml", "--config", "yaml:"+test.change)
			eventually(t, func() error {
				if text := collector.output.String(); !strings.Contains(text, test.want) {
					return fmt.Errorf("the log has no %q:\n%s", test.want, text)
				}
				return nil
			})
			require.NoError(t, collector.ended())
		})
	}
}
