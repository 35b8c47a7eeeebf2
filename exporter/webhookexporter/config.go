// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Config is the configuration of the exporter; see the README.
type Config struct {
	// ClientConfig is the endpoint and everything about the client.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
	// Secret signs, as Standard Webhooks says; empty: nothing is signed.
	Secret configopaque.String `mapstructure:"secret"`
	// Secrets sign as well, while a secret is changed for another.
	Secrets []configopaque.String `mapstructure:"secrets"`
	// Format is native, alertmanager or template.
	Format string `mapstructure:"format"`
	// Alertmanager is for that format.
	Alertmanager AlertmanagerConfig `mapstructure:"alertmanager"`
	// Template is for that format.
	Template TemplateConfig `mapstructure:"template"`
	// Concurrency is how many requests are made at a time.
	Concurrency int `mapstructure:"concurrency"`
	// DeadLetter keeps what is given up.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`
	// RetryConfig is how often what failed is tried again.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`
	// QueueConfig is for what waits.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

// AlertmanagerConfig is for the format of that name.
type AlertmanagerConfig struct {
	// ExpireAfter is when a firing alert that nobody told of again is over.
	ExpireAfter time.Duration `mapstructure:"expire_after"`
}

// TemplateConfig is for the format of that name.
type TemplateConfig struct {
	// Body is a Go template that gives JSON.
	Body string `mapstructure:"body"`
	// ContentType is what its output is called.
	ContentType string `mapstructure:"content_type"`
	// Variables are for the template, such as a key that the receiver wants in the body.
	Variables map[string]configopaque.String `mapstructure:"variables"`
}

// DeadLetterConfig is for what is given up.
type DeadLetterConfig struct {
	// Path is a file; empty: it goes into the log.
	Path string `mapstructure:"path"`
	// MaxMegabytes bounds the file and the one before it together.
	MaxMegabytes int `mapstructure:"max_megabytes"`
}

// Formats.
const (
	formatNative       = "native"
	formatAlertmanager = "alertmanager"
	formatTemplate     = "template"
)

var _ component.Config = (*Config)(nil)

// Unmarshal refuses durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate says everything that cannot be as it is, by key. What is under
// retry_on_failure and sending_queue says its own.
func (c *Config) Validate() error {
	errs := []error{c.validateNumbers(), c.validateQueue()}
	if _, err := c.target(); err != nil {
		errs = append(errs, fmt.Errorf("endpoint: %w", err))
	}
	if _, err := c.signers(); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.format(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Config) validateNumbers() error {
	var errs []error
	refuse := func(key string, value any, rule string) {
		errs = append(errs, fmt.Errorf("%s: %v: %s", key, value, rule))
	}
	if c.ClientConfig.Timeout < 100*time.Millisecond {
		refuse("timeout", c.ClientConfig.Timeout, "must be at least 100ms; without one, a receiver that does not respond blocks all records behind it")
	}
	if c.RetryConfig.Enabled && c.RetryConfig.InitialInterval < 10*time.Millisecond {
		refuse("retry_on_failure.initial_interval", c.RetryConfig.InitialInterval, "must be at least 10ms")
	}
	if c.Alertmanager.ExpireAfter < time.Minute {
		refuse("alertmanager.expire_after", c.Alertmanager.ExpireAfter, "must be at least 1m")
	}
	if c.Concurrency < 1 || c.Concurrency > 100 {
		refuse("concurrency", c.Concurrency, "must be 1 to 100")
	}
	if c.DeadLetter.MaxMegabytes < 1 {
		refuse("dead_letter.max_megabytes", c.DeadLetter.MaxMegabytes, "must be at least 1")
	}
	return errors.Join(errs...)
}

// validateQueue refuses what would break the order of an episode.
func (c *Config) validateQueue() error {
	if !c.QueueConfig.HasValue() {
		return nil
	}
	queue := c.QueueConfig.Get()
	if queue.NumConsumers > 1 {
		return fmt.Errorf("sending_queue.num_consumers: %d: must be 1, or resolved could come before firing; for more at a time, see concurrency", queue.NumConsumers)
	}
	if queue.Batch.HasValue() {
		return errors.New("sending_queue.batch: set, while each record is sent in a request of its own; leave it out")
	}
	return nil
}

// secrets are all that sign, in the order in which they are written.
func (c *Config) secrets() (keys []string, secrets []configopaque.String) {
	if c.Secret != "" {
		keys, secrets = append(keys, "secret"), append(secrets, c.Secret)
	}
	for i, secret := range c.Secrets {
		keys, secrets = append(keys, fmt.Sprintf("secrets[%d]", i)), append(secrets, secret)
	}
	return keys, secrets
}

// checkSecret never repeats the secret.
func checkSecret(secret string) error {
	const prefix = "whsec_"
	if !strings.HasPrefix(secret, prefix) {
		return errors.New("must begin with " + prefix)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, prefix))
	if err != nil {
		return errors.New("must be " + prefix + " and base64 with its padding, as in: echo whsec_$(openssl rand -base64 32)")
	}
	if len(key) < 24 || len(key) > 64 {
		return fmt.Errorf("is a key of %d bytes: must be 24 to 64 (Standard Webhooks)", len(key))
	}
	return nil
}
