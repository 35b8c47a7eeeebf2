// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
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
		damaged := rabbitstream.Compressed([]byte("a message"))
		damaged.Content[0]++
		poison := []rabbitstream.Entry{{}, {Content: []byte("no AMQP")}, {Content: rabbitstream.AppendMessage(nil, []byte("no OTLP"))}, damaged}
		for i := range poison {
			poison[i].ID = uint64(i + 1)
			require.NoError(t, conn.Publish(uint8(partition), poison[i:i+1]))
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
