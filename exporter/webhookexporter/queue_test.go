// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

func TestDeliver_MaxElapsedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, func(_ int, r received) reply {
			if r.body == "poison" {
				return says(500)
			}
			return says(200)
		}, func(c *Config) { c.RetryConfig.MaxElapsedTime = 10 * time.Minute })
		b.send(texts("poison"))
		b.send(texts("after"))
		time.Sleep(9 * time.Minute)
		assert.Zero(t, b.count("otelcol_webhook_dead_letters", "reason", "expired"))
		time.Sleep(2 * time.Minute)
		assert.Equal(t, int64(1), b.count("otelcol_webhook_dead_letters", "reason", "expired"))
		bodies := b.receiver.bodies()
		assert.Equal(t, "after", bodies[len(bodies)-1])
		assert.Equal(t, int64(1), b.count("otelcol_webhook_requests", "outcome", "delivered"))
		assert.Empty(t, b.retries.all())
		b.stop()
	})
}

func TestDeliver_WithoutRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(503), func(c *Config) { c.RetryConfig.Enabled = false })
		b.send(texts("hello"))
		synctest.Wait()
		b.stop()
		assert.Equal(t, int64(1), b.count("otelcol_webhook_dead_letters", "reason", "expired"))
	})
}

// Without a queue the sender gets the error, and still has the record.
func TestDeliver_WithoutQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(503), func(c *Config) {
			c.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
			c.RetryConfig.MaxElapsedTime = time.Minute
		})
		err := b.ConsumeLogs(t.Context(), texts("hello"))
		require.ErrorContains(t, err, "503 Service Unavailable")
		assert.Empty(t, b.retries.all(), "nothing is kept for it")
		b.stop()
		assert.Zero(t, b.logs.FilterMessageSnippet("payload logged").Len())
	})
}

func TestConsumeLogs_QueueFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(503), func(c *Config) {
			c.QueueConfig.Get().QueueSize = 3
		})
		for i := range 5 {
			b.send(texts(strconv.Itoa(i)))
			synctest.Wait()
		}
		assert.Equal(t, int64(2), b.count("otelcol_webhook_dead_letters", "reason", "queue_full"))
		b.stop()
		assert.Equal(t, int64(3), b.count("otelcol_webhook_dead_letters", "reason", "shutdown"), "and the rest when the collector ends")
	})
}

// The records of a batch that were not sent yet are dead letters, too.
func TestShutdown_BatchesAreDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(503), nil)
		b.send(texts("1", "2", "3"))
		b.send(texts("4", "5", "6"))
		time.Sleep(time.Minute)
		b.stop()
		assert.Equal(t, int64(6), b.count("otelcol_webhook_dead_letters", "reason", "shutdown"))
		var kept []any
		for _, entry := range b.logs.FilterMessageSnippet("payload logged").All() {
			kept = append(kept, entry.ContextMap()["body"])
		}
		assert.ElementsMatch(t, []any{"1", "2", "3", "4", "5", "6"}, kept)
	})
}

// Shutdown does not wait for the timeout of each record that is left.
func TestShutdown_HangingReceiver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, func(int, received) reply { return reply{} }, nil)
		for i := range 100 {
			b.send(texts(strconv.Itoa(i)))
		}
		synctest.Wait()
		begin := time.Now()
		b.stop()
		assert.LessOrEqual(t, time.Since(begin), 30*time.Second)
		assert.Equal(t, int64(100), b.count("otelcol_webhook_dead_letters", "reason", "shutdown"))
	})
}
