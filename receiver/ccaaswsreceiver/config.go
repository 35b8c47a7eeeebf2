// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configtls"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/frame"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/platform"
)

// Config is the configuration of the receiver.
type Config struct {
	// Platform is genesys_cloud, nice_cxone or custom.
	Platform string `mapstructure:"platform"`
	// API is how the platform's events are had: realtime_events.
	API string `mapstructure:"api"`
	// Region picks the platform's hosts, and is stamped on events that name none.
	Region string `mapstructure:"region"`
	// Endpoint is a host or a full URL, instead of the region's.
	Endpoint string `mapstructure:"endpoint"`
	// TenantID is stamped on events that name no tenant.
	TenantID string `mapstructure:"tenant_id"`
	// OAuth2 is how a bearer token is had.
	OAuth2 OAuth2Config `mapstructure:"oauth2"`
	// Subprotocol is asked for on the socket; auto is the platform's.
	Subprotocol string `mapstructure:"subprotocol"`
	// Preflight asks the platform what it speaks before the socket is opened.
	Preflight PreflightConfig `mapstructure:"preflight"`
	// Connections is the number of sockets, each on its own.
	Connections int `mapstructure:"connections"`
	// Heartbeat finds out a socket that only looks open.
	Heartbeat HeartbeatConfig `mapstructure:"heartbeat"`
	// MaxFrameSize is the largest frame that is read, in bytes.
	MaxFrameSize int `mapstructure:"max_frame_size"`
	// Reconnect is how fast a socket is tried for again.
	Reconnect ReconnectConfig `mapstructure:"reconnect"`
	// Batch is how records are put together.
	Batch BatchConfig `mapstructure:"batch"`
	// IncludeRaw keeps the event as received in the body of its record.
	IncludeRaw bool `mapstructure:"include_raw"`
	// Fields says where in an event its facts are.
	Fields frame.Fields `mapstructure:"fields"`
	// TLS is for HTTP and for the sockets.
	TLS configtls.ClientConfig `mapstructure:"tls"`
	// ProxyURL is for HTTP and for the sockets; empty: as the environment says.
	ProxyURL configopaque.String `mapstructure:"proxy_url"`
}

// OAuth2Config is for the grant of client credentials.
type OAuth2Config struct {
	ClientID     string              `mapstructure:"client_id"`
	ClientSecret configopaque.String `mapstructure:"client_secret"`
	// TokenURL is the token endpoint; empty: the platform's.
	TokenURL string   `mapstructure:"token_url"`
	Scopes   []string `mapstructure:"scopes"`
}

// PreflightConfig is for the request before the upgrade.
type PreflightConfig struct {
	Enabled bool   `mapstructure:"enabled"`
	Path    string `mapstructure:"path"`
}

// HeartbeatConfig is for a socket that only looks open.
type HeartbeatConfig struct {
	// Interval is the time between pings.
	Interval time.Duration `mapstructure:"interval"`
	// Timeout is of hearing nothing, not even the answer to a ping.
	Timeout time.Duration `mapstructure:"timeout"`
}

// ReconnectConfig is for the waits between attempts.
type ReconnectConfig struct {
	InitialInterval     time.Duration `mapstructure:"initial_interval"`
	MaxInterval         time.Duration `mapstructure:"max_interval"`
	Multiplier          float64       `mapstructure:"multiplier"`
	RandomizationFactor float64       `mapstructure:"randomization_factor"`
}

// BatchConfig is for batches of records.
type BatchConfig struct {
	MaxEvents int           `mapstructure:"max_events"`
	Timeout   time.Duration `mapstructure:"timeout"`
}

const (
	realtimeEvents  = "realtime_events"
	autoSubprotocol = "auto"
)

var _ component.Config = (*Config)(nil)

// Validate says everything that cannot be as it is, by key.
func (c *Config) Validate() error {
	profile, known := platform.Lookup(c.Platform)
	if !known {
		return fmt.Errorf("platform: %q: must be one of %s", c.Platform, strings.Join(platform.Names(), ", "))
	}
	errs := []error{c.validateAPI()}
	if _, err := c.target(&profile); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.proxy(); err != nil {
		errs = append(errs, err)
	}
	if _, err := frame.NewDecoder(c.Fields); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.validateNumbers()...)
	return errors.Join(errs...)
}

func (c *Config) validateAPI() error {
	switch c.API {
	case realtimeEvents:
		return nil
	case "notifications", "event_hub":
		return fmt.Errorf("api: %q: not available yet; use %s", c.API, realtimeEvents)
	default:
		return fmt.Errorf("api: %q: must be %s", c.API, realtimeEvents)
	}
}

func (c *Config) validateNumbers() []error {
	return slices.DeleteFunc([]error{
		need(!strings.ContainsFunc(c.Subprotocol, notToken) && c.Subprotocol != "", "subprotocol", c.Subprotocol, "auto, or a name of letters, digits and .-_+"),
		need(!c.Preflight.Enabled || strings.HasPrefix(c.Preflight.Path, "/"), "preflight.path", c.Preflight.Path, "a path that begins with /"),
		need(c.Connections >= 1 && c.Connections <= 100, "connections", c.Connections, "1 to 100"),
		need(c.Heartbeat.Interval > 0, "heartbeat.interval", c.Heartbeat.Interval, "more than 0"),
		need(c.Heartbeat.Timeout > c.Heartbeat.Interval, "heartbeat.timeout", c.Heartbeat.Timeout,
			fmt.Sprintf("more than heartbeat.interval (%v), so that a ping can be answered", c.Heartbeat.Interval)),
		need(c.MaxFrameSize >= 1<<10 && c.MaxFrameSize <= 64<<20, "max_frame_size", c.MaxFrameSize, "1024 to 67108864 bytes"),
		need(c.Reconnect.InitialInterval > 0, "reconnect.initial_interval", c.Reconnect.InitialInterval, "more than 0"),
		need(c.Reconnect.MaxInterval >= c.Reconnect.InitialInterval, "reconnect.max_interval", c.Reconnect.MaxInterval,
			fmt.Sprintf("at least reconnect.initial_interval (%v)", c.Reconnect.InitialInterval)),
		need(c.Reconnect.Multiplier >= 1, "reconnect.multiplier", c.Reconnect.Multiplier, "at least 1"),
		need(c.Reconnect.RandomizationFactor >= 0 && c.Reconnect.RandomizationFactor < 1, "reconnect.randomization_factor",
			c.Reconnect.RandomizationFactor, "0 or more, and less than 1"),
		need(c.Batch.MaxEvents >= 1 && c.Batch.MaxEvents <= 100_000, "batch.max_events", c.Batch.MaxEvents, "1 to 100000"),
		need(c.Batch.Timeout > 0 && c.Batch.Timeout <= time.Minute, "batch.timeout", c.Batch.Timeout, "more than 0, at most 1m"),
	}, func(err error) bool { return err == nil })
}

// need is an error that names a key and its value, unless it is as it must be.
func need(ok bool, key string, value any, want string) error {
	if ok {
		return nil
	}
	if text, isText := value.(string); isText {
		value = fmt.Sprintf("%q", text)
	}
	return fmt.Errorf("%s: %v: must be %s", key, value, want)
}

// notToken tells characters that cannot be in a subprotocol (RFC 9110, token).
func notToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
}
