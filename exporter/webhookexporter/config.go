// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpguard"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/standardwebhooks"
)

// Config is the configuration of the exporter; see the README.
type Config struct {
	// ClientConfig is the endpoint and everything about the client.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
	// Secret signs requests as specified by Standard Webhooks; empty: they are not signed.
	Secret configopaque.String `mapstructure:"secret"`
	// Secrets sign as well, for the rotation of a secret.
	Secrets []configopaque.String `mapstructure:"secrets"`
	// Format is native, alertmanager or template.
	Format string `mapstructure:"format"`
	// Alertmanager configures the format of that name.
	Alertmanager AlertmanagerConfig `mapstructure:"alertmanager"`
	// Template configures the format of that name.
	Template TemplateConfig `mapstructure:"template"`
	// TraceURL is the address of a trace, with {{trace_id}} in the place of its ID. The formats
	// alertmanager and template link the traces of an alert by it.
	TraceURL string `mapstructure:"trace_url"`
	// Concurrency is the number of concurrent requests.
	Concurrency int `mapstructure:"concurrency"`
	// DeadLetter configures where records are kept that are given up.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`
	// SuccessBody is a regular expression that the body of a 2xx response has to match;
	// empty: the status alone counts.
	SuccessBody string `mapstructure:"success_body"`
	// AuthRetry is for how long a 401, a 403 or a body that SuccessBody does not match is
	// retried before the record becomes a dead letter.
	AuthRetry time.Duration `mapstructure:"auth_retry"`
	// RetryConfig configures retries.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`
	// QueueConfig configures the queue.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

// AlertmanagerConfig configures the format alertmanager.
type AlertmanagerConfig struct {
	// ExpireAfter is the time after which a firing alert ends that is not repeated.
	ExpireAfter time.Duration `mapstructure:"expire_after"`
}

// TemplateConfig configures the format template.
type TemplateConfig struct {
	// Body is a Go template whose output is JSON.
	Body string `mapstructure:"body"`
	// ContentType is that of the output.
	ContentType string `mapstructure:"content_type"`
	// Variables are available to the template, such as a key that the receiver requires in
	// the body.
	Variables map[string]configopaque.String `mapstructure:"variables"`
}

// DeadLetterConfig configures the dead-letter file.
type DeadLetterConfig struct {
	// Path is the file; empty: records are logged.
	Path string `mapstructure:"path"`
	// MaxMegabytes bounds the file and the one before it together.
	MaxMegabytes int `mapstructure:"max_megabytes"`
}

var _ component.Config = (*Config)(nil)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate returns all invalid settings, each with its YAML key. The types of
// retry_on_failure and sending_queue validate themselves.
func (c *Config) Validate() error {
	format, err := payload.New(c.payload())
	errs := []error{c.validateNumbers(), c.validateQueue(), err}
	if _, err := c.endpoint(format); err != nil {
		errs = append(errs, fmt.Errorf("endpoint: %w", err))
	}
	if err := promalert.TraceURL(c.TraceURL).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("trace_url: %w", err))
	}
	_, err = standardwebhooks.NewSigner(c.Secret, c.Secrets)
	return errors.Join(append(errs, err)...)
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
		refuse("retry_on_failure::initial_interval", c.RetryConfig.InitialInterval, "must be at least 10ms")
	}
	if c.Alertmanager.ExpireAfter < time.Minute {
		refuse("alertmanager::expire_after", c.Alertmanager.ExpireAfter, "must be at least 1m")
	}
	if c.Concurrency < 1 || c.Concurrency > 100 {
		refuse("concurrency", c.Concurrency, "must be 1 to 100")
	}
	if c.AuthRetry < 0 {
		refuse("auth_retry", c.AuthRetry, "must not be negative; 0s makes a dead letter at once")
	}
	if _, err := regexp.Compile(c.SuccessBody); err != nil {
		refuse("success_body", fmt.Sprintf("%q", c.SuccessBody), err.Error())
	}
	if c.DeadLetter.MaxMegabytes < 1 {
		refuse("dead_letter::max_megabytes", c.DeadLetter.MaxMegabytes, "must be at least 1")
	}
	return errors.Join(errs...)
}

// validateQueue rejects what would break the order of an episode.
func (c *Config) validateQueue() error {
	if !c.QueueConfig.HasValue() {
		return nil
	}
	queue := c.QueueConfig.Get()
	if queue.NumConsumers > 1 {
		return fmt.Errorf("sending_queue::num_consumers: %d: must be 1, or resolved could come before firing; for more at a time, see concurrency", queue.NumConsumers)
	}
	if queue.Batch.HasValue() {
		return errors.New("sending_queue::batch: set, while each record is sent in a request of its own; leave it out")
	}
	return nil
}

// payload returns the configuration of the payload's format.
func (c *Config) payload() payload.Config {
	variables := map[string]string{}
	for name, value := range c.Template.Variables {
		variables[name] = string(value)
	}
	return payload.Config{
		Format: c.Format, ExpireAfter: c.Alertmanager.ExpireAfter, TraceURL: promalert.TraceURL(c.TraceURL),
		Template: payload.TemplateConfig{Body: c.Template.Body, ContentType: c.Template.ContentType, Variables: variables},
	}
}

// endpoint returns the URL of requests: the endpoint with the suffix of the format, which is
// nil where its configuration is not valid. Its errors do not contain the path, which often
// holds a secret.
func (c *Config) endpoint(format payload.Format) (*url.URL, error) {
	address, err := url.Parse(c.ClientConfig.Endpoint)
	switch {
	case c.ClientConfig.Endpoint == "":
		return nil, errors.New("missing; set it to the receiver's URL, such as https://alerts.example.com/hook")
	case err != nil || address.Hostname() == "":
		return nil, errors.New("not a URL; set one such as https://alerts.example.com/hook")
	case address.User != nil:
		return nil, errors.New("has a user name; set credentials in auth or headers")
	case address.Fragment != "":
		return nil, errors.New("has a fragment (#…), which is never sent")
	}
	switch address.Scheme {
	case "https":
	case "http":
		if !httpguard.IsLoopback(address.Hostname()) && !c.ClientConfig.TLS.Insecure {
			return nil, fmt.Errorf("http://%s: would send alerts in the clear; use https, or set tls::insecure: true", address.Host)
		}
	default:
		return nil, fmt.Errorf("%s://%s: must be https or http", address.Scheme, address.Host)
	}
	if format != nil && !strings.HasSuffix(address.Path, format.PathSuffix()) {
		address = address.JoinPath(format.PathSuffix())
	}
	return address, nil
}
