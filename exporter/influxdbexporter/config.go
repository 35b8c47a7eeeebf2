// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package influxdbexporter

import (
	"errors"
	"fmt"
	"net/url"

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
	// Database and RetentionPolicy are of InfluxDB 1.
	Database        string `mapstructure:"database"`
	RetentionPolicy string `mapstructure:"retention_policy"`
	// Username and Password are of InfluxDB 1.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// Org, Bucket and Token are of InfluxDB 2 and 3.
	Org    string              `mapstructure:"org"`
	Bucket string              `mapstructure:"bucket"`
	Token  configopaque.String `mapstructure:"token"`

	RetryConfig configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(bad bool, message string) {
		if bad {
			errs = append(errs, errors.New(message))
		}
	}
	u, err := url.Parse(c.ClientConfig.Endpoint)
	refuse(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https", "endpoint: must be the URL of the server, such as http://localhost:8086")
	refuse(err == nil && u.User != nil, "endpoint: holds a user; use username and password, or token")
	refuse(err == nil && (u.RawQuery != "" || u.Fragment != ""), "endpoint: has a query or a fragment; use database, or org and bucket")
	refuse((c.Database == "") == (c.Bucket == ""), "database: set either database (InfluxDB 1) or bucket (InfluxDB 2 and 3)")
	refuse(c.Database == "" && (c.RetentionPolicy != "" || c.Username != "" || c.Password != ""), "retention_policy, username, password: are of InfluxDB 1 and need database")
	refuse(c.Bucket == "" && (c.Org != "" || c.Token != ""), "org, token: are of InfluxDB 2 and 3 and need bucket")
	refuse((c.Username == "") != (c.Password == ""), "username: must be set together with password")
	if c.ClientConfig.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %v: must be more than 0: it bounds one attempt, and shutdown waits for the attempt that is in progress", c.ClientConfig.Timeout))
	}
	return errors.Join(errs...)
}

// writeURL is where lines go, with their precision.
func (c *Config) writeURL() (string, error) {
	u, err := url.Parse(c.ClientConfig.Endpoint)
	if err != nil {
		return "", err
	}
	query := url.Values{"precision": {"ms"}}
	if c.Bucket != "" {
		query.Set("bucket", c.Bucket)
		if c.Org != "" {
			query.Set("org", c.Org)
		}
		u = u.JoinPath("api", "v2", "write")
	} else {
		query.Set("db", c.Database)
		if c.RetentionPolicy != "" {
			query.Set("rp", c.RetentionPolicy)
		}
		u = u.JoinPath("write")
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}
