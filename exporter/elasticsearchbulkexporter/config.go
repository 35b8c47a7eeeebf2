// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package elasticsearchbulkexporter

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
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
	// EventsIndex and WindowsIndex are data streams or indices; empty: these records are left out.
	EventsIndex  string `mapstructure:"events_index"`
	WindowsIndex string `mapstructure:"windows_index"`

	RetryConfig configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

var index = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,250}$`)

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.ClientConfig.Endpoint); err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, errors.New("endpoint: must be the URL of the cluster without a user and a query, such as https://localhost:9200; credentials go into auth or headers"))
	}
	for key, name := range map[string]string{"events_index": c.EventsIndex, "windows_index": c.WindowsIndex} {
		if name != "" && !index.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s: %q: must be the name of an index or a data stream: lower case letters, digits, '.', '_' and '-'", key, name))
		}
	}
	if c.EventsIndex == "" && c.WindowsIndex == "" {
		errs = append(errs, errors.New("events_index, windows_index: one of them must be given, or nothing is sent"))
	}
	if c.ClientConfig.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %v: must be more than 0: it bounds one attempt, and shutdown waits for the attempt that is in progress", c.ClientConfig.Timeout))
	}
	return errors.Join(errs...)
}
