// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package timescaledbexporter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Config is the configuration of the exporter; see the README.
type Config struct {
	// Endpoint is a libpq URL without a password: postgres://user@host:port/database?sslmode=….
	Endpoint string `mapstructure:"endpoint"`
	// Password of the user in Endpoint.
	Password configopaque.String `mapstructure:"password"`
	// TLS replaces what sslmode in Endpoint selects.
	TLS configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
	// CreateSchema creates the tables and their jobs.
	CreateSchema bool `mapstructure:"create_schema"`
	// Retention is the age at which rows are deleted; 0 keeps them.
	Retention time.Duration `mapstructure:"retention"`
	// MaxConnections bounds the pool.
	MaxConnections int32 `mapstructure:"max_connections"`

	TimeoutConfig exporterhelper.TimeoutConfig                             `mapstructure:",squash"`
	RetryConfig   configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
	QueueConfig   configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

const minRetention = 24 * time.Hour

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(bad bool, key string, value any, rule string) {
		if bad {
			errs = append(errs, fmt.Errorf("%s: %v: %s", key, value, rule))
		}
	}
	if _, err := c.parse(); err != nil {
		errs = append(errs, fmt.Errorf("endpoint: %w", err))
	}
	refuse(c.Retention != 0 && c.Retention < minRetention, "retention", c.Retention, "must be 0 (rows are kept) or at least 24h")
	refuse(c.MaxConnections < 1 || c.MaxConnections > 100, "max_connections", c.MaxConnections, "must be 1 to 100")
	refuse(c.TimeoutConfig.Timeout <= 0, "timeout", c.TimeoutConfig.Timeout, "must be more than 0: it bounds one attempt, and shutdown waits for the attempt that is in progress")
	return errors.Join(errs...)
}

const example = "such as postgres://ccaas@db.example.com:5432/ccaas?sslmode=verify-full"

// parse reads the endpoint. Its errors never repeat a password.
func (c *Config) parse() (*pgxpool.Config, error) {
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil, u.Scheme != "postgres" && u.Scheme != "postgresql":
		return nil, errors.New("must be a URL of PostgreSQL, " + example)
	case u.User.Username() == "" && !u.Query().Has("user"):
		return nil, errors.New("names no user, " + example)
	}
	if _, inside := u.User.Password(); inside || u.Query().Has("password") {
		return nil, errors.New("holds a password, which would be readable wherever the endpoint is; use the key password")
	}
	parsed, err := pgxpool.ParseConfig(c.Endpoint)
	if err != nil {
		return nil, err // with the endpoint, which has no password
	}
	parsed.ConnConfig.Password = string(c.Password)
	return parsed, nil
}

// pool is the configuration of the connections.
func (c *Config) pool(ctx context.Context) (*pgxpool.Config, error) {
	pool, err := c.parse()
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	pool.MaxConns = c.MaxConnections
	pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // no named statements, which a pooler such as PgBouncer may lose
	pool.ConnConfig.ConnectTimeout = c.TimeoutConfig.Timeout
	if pool.ConnConfig.RuntimeParams["application_name"] == "" {
		pool.ConnConfig.RuntimeParams["application_name"] = "otelcol-ccaas"
	}
	section, mode := c.TLS.Get(), c.sslMode()
	if section == nil && mode == "" && !c.local() {
		section = &configtls.ClientConfig{}
	}
	if section == nil {
		return pool, nil
	}
	tls, err := section.LoadTLSConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	if tls != nil && tls.ServerName == "" {
		tls.ServerName = pool.ConnConfig.Host
	}
	pool.ConnConfig.TLSConfig = tls
	pool.ConnConfig.Fallbacks = nil
	return pool, nil
}

func (c *Config) sslMode() string {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return ""
	}
	return u.Query().Get("sslmode")
}

// local reports whether data does not leave this machine.
func (c *Config) local() bool {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if host == "" {
		host = u.Query().Get("host")
	}
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || strings.HasPrefix(host, "/") || ip != nil && ip.IsLoopback()
}

// plainText reports whether the configuration lets data and password leave this machine unencrypted, or to a server
// whose certificate nobody checks.
func (c *Config) plainText() bool {
	if c.local() || c.TLS.HasValue() {
		return false
	}
	switch c.sslMode() {
	case "", "verify-ca", "verify-full":
		return false
	}
	return true
}
