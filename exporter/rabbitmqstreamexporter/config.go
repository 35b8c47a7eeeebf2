// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
)

// Config is the configuration of the exporter; see the README.
type Config struct {
	// ClientConfig is how the broker is reached.
	ClientConfig rabbitmq.ClientConfig `mapstructure:",squash"`
	// Stream is the prefix of the streams, which are <stream>-0, <stream>-1 and so on.
	Stream string `mapstructure:"stream"`
	// Partitions is the number of streams.
	Partitions int `mapstructure:"partitions"`
	// Create creates streams that do not exist.
	Create bool `mapstructure:"create"`
	// Retention is that of created streams.
	Retention rabbitmq.RetentionConfig `mapstructure:"retention"`
	// Compression of the messages: zstd or none.
	Compression string `mapstructure:"compression"`
	// ProducerName begins the name for deduplication; what follows is random, so that
	// collectors with one configuration have different ones. Empty: otelcol-ccaas.
	ProducerName string `mapstructure:"producer_name"`

	RetryConfig configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

const (
	compressionNone = "none"
	compressionZstd = "zstd"
)

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	errs := []error{c.ClientConfig.Check(), c.Retention.Check()}
	if !rabbitmq.Name(c.Stream) {
		errs = append(errs, fmt.Errorf("stream: %q: must be %s", c.Stream, rabbitmq.NameRule))
	}
	if c.Partitions < 1 || c.Partitions > rabbitmq.MaxPartitions {
		errs = append(errs, fmt.Errorf("partitions: %d: must be 1 to %d", c.Partitions, rabbitmq.MaxPartitions))
	}
	if c.Compression != compressionNone && c.Compression != compressionZstd {
		errs = append(errs, fmt.Errorf("compression: %q: must be zstd or none", c.Compression))
	}
	if c.ProducerName != "" && !rabbitmq.Name(c.ProducerName) {
		errs = append(errs, fmt.Errorf("producer_name: %q: must be %s", c.ProducerName, rabbitmq.NameRule))
	}
	if c.QueueConfig.HasValue() && c.QueueConfig.Get().Batch.HasValue() {
		errs = append(errs, errors.New("sending_queue::batch: must not be set: a restart would make other batches, which are not recognised; use the batch processor"))
	}
	return errors.Join(errs...)
}

// storageID is the storage of the queue, nil where the queue is in memory.
func (c *Config) storageID() *component.ID {
	if !c.QueueConfig.HasValue() {
		return nil
	}
	return c.QueueConfig.Get().StorageID
}
