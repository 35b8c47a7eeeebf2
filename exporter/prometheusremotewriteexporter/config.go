// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package prometheusremotewriteexporter

import (
	"errors"
	"fmt"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Config is that of the Collector's exporter, with a sending_queue.
type Config struct {
	// RemoteWrite has all keys of the Collector's exporter.
	RemoteWrite contrib.Config `mapstructure:",squash"`
	// QueueConfig is exporterhelper's queue. Without it, remote_write_queue is taken.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// errTwoQueues is returned where both queues are configured.
var errTwoQueues = errors.New("remote_write_queue: cannot be set beside sending_queue, which replaces it; remove remote_write_queue")

// Unmarshal rejects a configuration with two queues, and durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if conf.IsSet("sending_queue") && conf.IsSet("remote_write_queue") {
		return errTwoQueues
	}
	if err := confduration.Unmarshal(conf, c); err != nil {
		return err
	}
	if conf.IsSet("sending_queue") { // also where it is disabled
		c.RemoteWrite.RemoteWriteQueue.Enabled = false
	}
	return nil
}

// Validate checks what the Collector's exporter does not: a timeout of 0 would let one attempt last forever.
func (c *Config) Validate() error {
	if c.RemoteWrite.TimeoutSettings.Timeout <= 0 {
		return fmt.Errorf("timeout: %v: must be more than 0: it bounds one attempt, and shutdown waits for the attempt that is in progress",
			c.RemoteWrite.TimeoutSettings.Timeout)
	}
	return nil
}

// queue is the queue that is configured: sending_queue, else what remote_write_queue says of one in memory.
func (c *Config) queue() configoptional.Optional[exporterhelper.QueueBatchConfig] {
	old := c.RemoteWrite.RemoteWriteQueue
	if c.QueueConfig.HasValue() || !old.Enabled {
		return c.QueueConfig
	}
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1 // in order: a store refuses a sample that is older than its latest
	queue.QueueSize = int64(old.QueueSize)
	return configoptional.Some(queue)
}

// attempt is the configuration of the Collector's exporter for one attempt: no queue, no retries.
func (c *Config) attempt() *contrib.Config {
	inner := c.RemoteWrite
	inner.RemoteWriteQueue.Enabled = false
	if !inner.WAL.HasValue() { // the log of that exporter sends by itself, and needs retries of its own
		inner.BackOffConfig.Enabled = false
	}
	return &inner
}
