// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/embedded"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpguard"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/standardwebhooks"
)

// Config is the configuration of the exporter; see the README.
type Config struct {
	// ConfigFile is the path of an Alertmanager configuration.
	ConfigFile string `mapstructure:"config_file"`
	// Inline is the same configuration in place.
	Inline map[string]any `mapstructure:"config"`
	// ReloadInterval is how often ConfigFile is compared with what is in force; 0: never.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`
	// Directory keeps alerts, silences and the notification log.
	Directory string `mapstructure:"directory"`
	// Retention is how long ended silences and entries of the notification log are kept.
	Retention time.Duration `mapstructure:"retention"`
	// ExpireAfter is when a firing alert that is not repeated is resolved.
	ExpireAfter time.Duration `mapstructure:"expire_after"`
	// ExternalURL is the URL of the API in notifications.
	ExternalURL string `mapstructure:"external_url"`
	// TraceURL is the address of a trace in the annotations, with {{trace_id}} in the place of its ID.
	TraceURL string `mapstructure:"trace_url"`
	// API is Alertmanager's API.
	API configoptional.Optional[APIConfig] `mapstructure:"api"`
	// Webhooks are signed webhooks, by receiver of the Alertmanager configuration.
	Webhooks map[string]WebhookConfig `mapstructure:"webhooks"`
	// Limits bound the memory.
	Limits LimitsConfig `mapstructure:"limits"`
	// RetryConfig is for records whose alerts could not be written to disk.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`
	// QueueConfig is for records before they are alerts on disk.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

// APIConfig is Alertmanager's API.
type APIConfig struct {
	// ServerConfig is the endpoint and everything about the server.
	ServerConfig confighttp.ServerConfig `mapstructure:",squash"`
	// AllowedHosts are host names of requests beside those of loopback.
	AllowedHosts []string `mapstructure:"allowed_hosts"`
	// AllowInsecure permits an endpoint off loopback without TLS and authentication.
	AllowInsecure bool `mapstructure:"allow_insecure"`
}

// WebhookConfig is a signed webhook.
type WebhookConfig struct {
	// ClientConfig is the endpoint and everything about the client.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
	// Secret signs as Standard Webhooks requires.
	Secret configopaque.String `mapstructure:"secret"`
	// Secrets sign as well, during a rotation.
	Secrets []configopaque.String `mapstructure:"secrets"`
	// DeadLetter keeps notifications that the receiver refuses.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`
}

// DeadLetterConfig is for refused notifications.
type DeadLetterConfig struct {
	// Path is a file; empty: they are logged.
	Path string `mapstructure:"path"`
	// MaxMegabytes bounds the file and the one before it together.
	MaxMegabytes int `mapstructure:"max_megabytes"`
}

// LimitsConfig bounds the memory.
type LimitsConfig struct {
	Alerts   int `mapstructure:"alerts"`
	Groups   int `mapstructure:"groups"`
	Silences int `mapstructure:"silences"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*WebhookConfig)(nil)
	_ confmap.Marshaler   = Config{}
)

// Unmarshal refuses durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Marshal writes the configuration as it is printed. An Alertmanager configuration has secrets in many
// places, addresses among them: of one in place, only the keys are shown. The encoder calls it on a value.
func (c Config) Marshal(conf *confmap.Conf) error {
	type plain Config // without this method
	if c.Inline != nil {
		c.Inline = opaque(c.Inline).(map[string]any)
	}
	return conf.Marshal(plain(c))
}

// opaque is a value with the keys of its maps, and all else hidden.
func opaque(value any) any {
	switch value := value.(type) {
	case map[string]any:
		shown := make(map[string]any, len(value))
		for key, inner := range value {
			shown[key] = opaque(inner)
		}
		return shown
	case []any:
		shown := make([]any, len(value))
		for i, inner := range value {
			shown[i] = opaque(inner)
		}
		return shown
	default:
		return configopaque.String("x").String()
	}
}

// Unmarshal sets the defaults of a webhook.
func (c *WebhookConfig) Unmarshal(conf *confmap.Conf) error {
	c.ClientConfig = confighttp.NewDefaultClientConfig()
	c.ClientConfig.Timeout = 15 * time.Second
	c.DeadLetter.MaxMegabytes = 20
	return confduration.Unmarshal(conf, c)
}

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	errs := []error{c.validateNumbers(), c.validateQueue()}
	need := func(ok bool, key, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s", key, rule))
		}
	}
	need(c.Directory != "", "directory", "missing; give a directory that keeps alerts and silences over a restart")
	need((c.ConfigFile == "") != (c.Inline == nil), "config_file, config", "exactly one of them is required: the path of an alertmanager.yml, or its content")
	if _, err := c.externalURL(); err != nil {
		errs = append(errs, fmt.Errorf("external_url: %w", err))
	}
	if err := promalert.TraceURL(c.TraceURL).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("trace_url: %w", err))
	}
	if c.API.HasValue() {
		errs = append(errs, c.API.Get().validate())
	}
	for _, name := range slices.Sorted(maps.Keys(c.Webhooks)) {
		webhook := c.Webhooks[name]
		if err := webhook.validate(); err != nil {
			errs = append(errs, fmt.Errorf("webhooks::%s::%w", name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return c.validateAlertmanager()
}

// validateAlertmanager reads the Alertmanager configuration.
func (c *Config) validateAlertmanager() error {
	source, err := c.source()
	if err == nil {
		err = embedded.Check(source, c.Retention, slices.Collect(maps.Keys(c.Webhooks)))
	}
	if err == nil {
		return nil
	}
	if c.ConfigFile != "" {
		return fmt.Errorf("config_file: %s: %w", c.ConfigFile, err)
	}
	return fmt.Errorf("config: %w", err)
}

func (c *Config) source() (embedded.Source, error) {
	if c.ConfigFile != "" {
		return embedded.Source{Path: c.ConfigFile}, nil
	}
	content, err := yaml.Marshal(c.Inline)
	return embedded.Source{Content: string(content)}, err
}

func (c *Config) validateNumbers() error {
	var errs []error
	need := func(ok bool, key string, value any, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %v: %s", key, value, rule))
		}
	}
	need(c.ReloadInterval == 0 || c.ReloadInterval >= time.Second, "reload_interval", c.ReloadInterval, "must be at least 1s, or 0s for never")
	need(c.Retention >= time.Minute, "retention", c.Retention, "must be at least 1m")
	need(c.ExpireAfter >= time.Minute, "expire_after", c.ExpireAfter, "must be at least 1m")
	need(c.Limits.Alerts >= 1 && c.Limits.Alerts <= 1_000_000, "limits::alerts", c.Limits.Alerts, "must be 1 to 1000000")
	need(c.Limits.Groups >= 1 && c.Limits.Groups <= 100_000, "limits::groups", c.Limits.Groups, "must be 1 to 100000")
	need(c.Limits.Silences >= 1 && c.Limits.Silences <= 100_000, "limits::silences", c.Limits.Silences, "must be 1 to 100000")
	return errors.Join(errs...)
}

// validateQueue refuses what would reorder the records of an alert.
func (c *Config) validateQueue() error {
	if !c.QueueConfig.HasValue() {
		return nil
	}
	queue := c.QueueConfig.Get()
	var errs []error
	if queue.NumConsumers > 1 {
		errs = append(errs, fmt.Errorf("sending_queue::num_consumers: %d: must be 1, or resolved could precede firing", queue.NumConsumers))
	}
	if queue.StorageID == nil {
		errs = append(errs, errors.New("sending_queue::storage: missing: a queue in memory loses alerts in a crash; set a storage, or leave sending_queue out"))
	}
	return errors.Join(errs...)
}

func (c *Config) externalURL() (*url.URL, error) {
	text := c.ExternalURL
	if text == "" {
		text = "http://localhost:9093"
		if c.API.HasValue() && c.API.Get().ServerConfig.NetAddr.Endpoint != "" {
			text = "http://" + c.API.Get().ServerConfig.NetAddr.Endpoint
		}
	}
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		if strings.Contains(text, "@") {
			text = "(not shown)" // it may have a password
		}
		return nil, fmt.Errorf("%q: must be a URL such as http://localhost:9093", text)
	}
	return address, nil
}

func (c *APIConfig) validate() error {
	endpoint := c.ServerConfig.NetAddr.Endpoint
	switch {
	case endpoint == "":
		return errors.New("api::endpoint: missing; give an address such as localhost:9093, or set api::enabled: false")
	case httpguard.OnLoopback(c.ServerConfig.NetAddr), c.AllowInsecure:
		return nil
	case !c.ServerConfig.TLS.HasValue() || !c.ServerConfig.Auth.HasValue():
		return fmt.Errorf("api::endpoint: %s: other machines reach it and could silence alerts: set api::tls and api::auth, "+
			"or api::allow_insecure: true where something in front of it authenticates, or use localhost", endpoint)
	default:
		return nil
	}
}

func (c *WebhookConfig) validate() error {
	address, err := url.Parse(c.ClientConfig.Endpoint)
	if err != nil || address.Hostname() == "" || address.Scheme != "http" && address.Scheme != "https" || address.User != nil {
		return errors.New("endpoint: must be a URL without a user name, such as https://alerts.example.com/hook") // its path may be a secret
	}
	if address.Scheme == "http" && !httpguard.IsLoopback(address.Hostname()) && !c.ClientConfig.TLS.Insecure {
		return fmt.Errorf("endpoint: http://%s: would send alerts in the clear; use https, or set tls::insecure: true", address.Host)
	}
	if c.ClientConfig.Timeout < 100*time.Millisecond {
		return fmt.Errorf("timeout: %v: must be at least 100ms", c.ClientConfig.Timeout)
	}
	if c.DeadLetter.MaxMegabytes < 1 {
		return fmt.Errorf("dead_letter::max_megabytes: %d: must be at least 1", c.DeadLetter.MaxMegabytes)
	}
	_, err = c.signer()
	return err
}

// signer returns the signer of all secrets, of which there is one at least.
func (c *WebhookConfig) signer() (standardwebhooks.Signer, error) {
	if c.Secret == "" && len(c.Secrets) == 0 {
		return nil, errors.New("secret: missing; create one with: " + standardwebhooks.Example)
	}
	return standardwebhooks.NewSigner(c.Secret, c.Secrets)
}
