// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // timezone is read where the machine has no zones, too

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Config is the configuration of the receiver.
type Config struct {
	// Platform is genesys_cloud, nice_cxone or custom.
	Platform string `mapstructure:"platform"`
	// API is how the platform's events are had: realtime_events, notifications, event_hub.
	API string `mapstructure:"api"`
	// Region picks the platform's hosts, and is stamped on events that name none.
	Region string `mapstructure:"region"`
	// Endpoint is a host or a full URL, instead of the region's.
	Endpoint string `mapstructure:"endpoint"`
	// TenantID is stamped on events that name no tenant.
	TenantID string `mapstructure:"tenant_id"`
	// OAuth2 is how a bearer token is had.
	OAuth2 OAuth2Config `mapstructure:"oauth2"`
	// AllowedHosts are hosts that may get credentials when the platform names them,
	// besides those that the configuration names; none: the platform's.
	AllowedHosts []string `mapstructure:"allowed_hosts"`
	// Subprotocol is asked for on the socket; auto is the platform's.
	Subprotocol string `mapstructure:"subprotocol"`
	// Notifications is for the API of that name.
	Notifications NotificationsConfig `mapstructure:"notifications"`
	// EventHub is for the API of that name.
	EventHub EventHubConfig `mapstructure:"event_hub"`
	// Session says how a custom platform is talked to.
	Session SessionConfig `mapstructure:"session"`
	// Preflight asks the platform what it speaks before the socket is opened.
	Preflight PreflightConfig `mapstructure:"preflight"`
	// Connections is the number of sockets, each on its own.
	Connections int `mapstructure:"connections"`
	// Heartbeat finds out a socket that only looks open.
	Heartbeat HeartbeatConfig `mapstructure:"heartbeat"`
	// MaxFrameSize is the largest frame that is read, in bytes.
	MaxFrameSize int `mapstructure:"max_frame_size"`
	// PayloadSize is what the size of a message is: event, text, object or none.
	PayloadSize string `mapstructure:"payload_size"`
	// MaxPayloadSize is the largest size of a message that is taken, in bytes.
	MaxPayloadSize int64 `mapstructure:"max_payload_size"`
	// MaxDimensionLength is the longest tenant_id, region and channel_type of an
	// event, in bytes.
	MaxDimensionLength int `mapstructure:"max_dimension_length"`
	// MaxIDLength is the longest channel_id, user_id and id of an event, in bytes.
	MaxIDLength int `mapstructure:"max_id_length"`
	// Timezone is the IANA name of the zone of times that name none.
	Timezone string `mapstructure:"timezone"`
	// Reconnect is how fast a socket is tried for again.
	Reconnect ReconnectConfig `mapstructure:"reconnect"`
	// Rotation is how a socket is replaced before it is lost.
	Rotation RotationConfig `mapstructure:"rotation"`
	// Deduplication is how long an event is remembered that may come again.
	Deduplication DeduplicationConfig `mapstructure:"deduplication"`
	// Limits bound what the platform is asked for.
	Limits LimitsConfig `mapstructure:"limits"`
	// Batch is how records are put together.
	Batch BatchConfig `mapstructure:"batch"`
	// AliveInterval is the time between two signs of life in each stream; 0: none.
	AliveInterval time.Duration `mapstructure:"alive_interval"`
	// Raw is how much of what was received stands in the bodies of records: full,
	// redacted or none.
	Raw string `mapstructure:"raw"`
	// IncludeRaw is another name for it: true is full, false is none.
	IncludeRaw bool `mapstructure:"include_raw"`
	// Redact are paths of values that are redacted besides those that always are.
	Redact []string `mapstructure:"redact"`
	// UserID is how users are named: plain, hash or none.
	UserID string `mapstructure:"user_id"`
	// UserIDKey is that of the hash.
	UserIDKey configopaque.String `mapstructure:"user_id_key"`
	// Fields says where in an event its facts are.
	Fields jsonevent.Fields `mapstructure:"fields"`
	// Types says what makes an object an event of a type, where the platform has
	// other words for it.
	Types jsonevent.Types `mapstructure:"types"`
	// TLS is for HTTP and for the sockets.
	TLS configtls.ClientConfig `mapstructure:"tls"`
	// ProxyURL is for HTTP and for the sockets; empty: as the environment says.
	ProxyURL configopaque.String `mapstructure:"proxy_url"`
}

type (
	// OAuth2Config configures how the bearer token is obtained.
	OAuth2Config = api.OAuth2Config
	// NotificationsConfig is of the API of that name.
	NotificationsConfig = api.NotificationsConfig
	// EventHubConfig is of the API of that name.
	EventHubConfig = api.EventHubConfig
	// SessionConfig configures the session of a custom platform.
	SessionConfig = api.SessionConfig
	// URLFromConfig configures the request for the address of the socket.
	URLFromConfig = api.URLFromConfig
	// ExchangeConfig is a handshake frame and its reply.
	ExchangeConfig = api.ExchangeConfig
	// KeepAliveConfig configures keep-alive frames.
	KeepAliveConfig = api.KeepAliveConfig
	// PreflightConfig configures the request before the upgrade.
	PreflightConfig = api.PreflightConfig
)

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

// RotationConfig is for the move to a new socket.
type RotationConfig struct {
	// Overlap is how long the old socket is read beside the new one.
	Overlap time.Duration `mapstructure:"overlap"`
	// MaxAge is how old a socket may become; 0: as old as it gets.
	MaxAge time.Duration `mapstructure:"max_age"`
}

// DeduplicationConfig is for events that come again.
type DeduplicationConfig struct {
	// Window is how long an event is remembered; 0: not at all.
	Window time.Duration `mapstructure:"window"`
	// MaxEvents is how many events are remembered at most, by each connection.
	MaxEvents int `mapstructure:"max_events"`
}

// LimitsConfig is for what a receiver may ask of its platform.
type LimitsConfig struct {
	RequestsPerMinute int `mapstructure:"requests_per_minute"`
	DialsPerMinute    int `mapstructure:"dials_per_minute"`
}

// BatchConfig is for batches of records.
type BatchConfig struct {
	MaxEvents int           `mapstructure:"max_events"`
	Timeout   time.Duration `mapstructure:"timeout"`
}

const (
	autoSubprotocol   = "auto"
	clientCredentials = "client_credentials"
	passwordGrant     = "password"
)

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// Unmarshal reads the configuration. What it does not say is as the API needs it.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := confduration.Unmarshal(conf, c); err != nil {
		return err
	}
	upstream, err := api.Lookup(c.Platform, c.API)
	if err != nil {
		return nil //nolint:nilerr // Validate reports it
	}
	profile := upstream.Profile()
	c.OAuth2.Scopes = splitScopes(c.OAuth2.Scopes)
	if !conf.IsSet("oauth2::scopes") {
		c.OAuth2.Scopes = profile.Scopes
	}
	if err := c.resolveRaw(conf, profile); err != nil {
		return err
	}
	if !conf.IsSet("payload_size") {
		c.PayloadSize = profile.PayloadSize
	}
	if !conf.IsSet("heartbeat::interval") {
		c.Heartbeat.Interval = profile.Heartbeat.Interval
	}
	if !conf.IsSet("heartbeat::timeout") {
		c.Heartbeat.Timeout = profile.Heartbeat.Timeout
	}
	if !conf.IsSet("reconnect::initial_interval") {
		c.Reconnect.InitialInterval = profile.Backoff.Initial
	}
	if !conf.IsSet("reconnect::max_interval") {
		c.Reconnect.MaxInterval = max(profile.Backoff.Max, c.Reconnect.InitialInterval)
	}
	return nil
}

// splitScopes makes scopes of texts that may name several, as RFC 6749 writes them.
func splitScopes(texts []string) []string {
	var scopes []string
	for _, text := range texts {
		scopes = append(scopes, strings.Fields(text)...)
	}
	return scopes
}

// Validate says everything that cannot be as it is, by key.
func (c *Config) Validate() error {
	upstream, err := api.Lookup(c.Platform, c.API)
	if err != nil {
		return err
	}
	profile := upstream.Profile()
	settings := c.upstream(profile)
	errs := []error{c.validateOAuth2(), upstream.Validate(settings), api.ValidateAllowedHosts(c.AllowedHosts), c.validatePayloadSize(profile), c.validatePrivacy()}
	if _, err := upstream.Endpoints(settings); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.proxy(); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.decoder(profile); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.validateNumbers()...)
	errs = append(errs, c.validateRotation()...)
	return errors.Join(errs...)
}

// upstream returns the part of the configuration that depends on the API.
func (c *Config) upstream(profile *api.Profile) *api.Config {
	subprotocol := c.Subprotocol
	if subprotocol == autoSubprotocol {
		subprotocol = profile.Subprotocol
	}
	return &api.Config{
		Region: c.Region, Endpoint: c.Endpoint, AllowedHosts: c.AllowedHosts, OAuth2: c.OAuth2, Subprotocol: subprotocol,
		Preflight: c.Preflight, Notifications: c.Notifications, EventHub: c.EventHub, Session: c.Session,
		Connections: c.Connections, Heartbeat: wsclient.Heartbeat(c.Heartbeat), Overlap: c.Rotation.Overlap,
		Deduplication: c.Deduplication.Window, PayloadSize: c.PayloadSize, Insecure: c.TLS.Insecure,
	}
}

// mapping returns where the fields of events are, and what makes an object one.
func (c *Config) mapping(profile *api.Profile) (jsonevent.Fields, jsonevent.Types) {
	fields := c.Fields
	fields.Text = "" // configured by itself
	if len(c.Types) == 0 && fields == jsonevent.DefaultFields() {
		return profile.Fields, profile.Types
	}
	return fields, c.Types
}

// decoder makes a decoder of frames whose objects are events.
func (c *Config) decoder(profile *api.Profile) (*jsonevent.Decoder, error) {
	fields, types := c.mapping(profile)
	fields.Text = c.text(profile)
	switch c.PayloadSize {
	case api.SizeOfEvent:
		fields.Text = ""
	case api.SizeOfText:
		fields.PayloadSize = ""
	default:
		fields.Text, fields.PayloadSize = "", ""
	}
	decoder, err := jsonevent.NewMapped(fields, types)
	if err != nil {
		return nil, err
	}
	location, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, fmt.Errorf("timezone: %q: must be an IANA name of a time zone, such as Europe/Berlin", c.Timezone)
	}
	decoder.SetLocation(location)
	if c.Raw != rawFull {
		decoder.OmitValues()
	}
	return decoder, nil
}

// text is where in an event the text is.
func (c *Config) text(profile *api.Profile) string { return cmp.Or(c.Fields.Text, profile.Fields.Text) }

func (c *Config) validatePayloadSize(profile *api.Profile) error {
	kinds := []string{api.SizeOfEvent, api.SizeOfText, api.SizeOfObject, api.SizeOfNone}
	switch {
	case !slices.Contains(kinds, c.PayloadSize):
		return fmt.Errorf("payload_size: %q: must be one of %s", c.PayloadSize, strings.Join(kinds, ", "))
	case c.PayloadSize != api.SizeOfText:
		return nil
	case c.text(profile) == "":
		return errors.New(`payload_size: "text": needs fields.text, the path of the text`)
	}
	return nil
}

func (c *Config) validateOAuth2() error {
	o := &c.OAuth2
	return errors.Join(
		api.Need(o.GrantType == clientCredentials || o.GrantType == passwordGrant, "oauth2.grant_type", o.GrantType, clientCredentials+" or "+passwordGrant),
		api.Need(o.GrantType != passwordGrant || o.Username != "", "oauth2.username", o.Username, "given with oauth2.grant_type: password"),
		api.Need(o.GrantType != passwordGrant || o.Password != "", "oauth2.password", "", "given with oauth2.grant_type: password"),
		api.Need(o.GrantType == passwordGrant || o.Username == "" && o.Password == "", "oauth2.username", "…", "left out unless oauth2.grant_type is password"),
		api.Need(!o.StrictScopes || len(o.Scopes) > 0, "oauth2.strict_scopes", o.StrictScopes, "false while oauth2.scopes is empty: there is nothing to compare with"),
	)
}

func (c *Config) validateRotation() []error {
	return slices.DeleteFunc([]error{
		api.Need(c.Rotation.Overlap >= 0 && c.Rotation.Overlap <= 10*time.Minute, "rotation.overlap", c.Rotation.Overlap, "0 to 10m"),
		api.Need(c.Rotation.MaxAge >= 0, "rotation.max_age", c.Rotation.MaxAge, "0 (as old as it gets) or more"),
		api.Need(c.Deduplication.Window >= 0 && c.Deduplication.Window <= time.Hour, "deduplication.window", c.Deduplication.Window, "0 (off) to 1h"),
		api.Need(c.Deduplication.MaxEvents >= 1000 && c.Deduplication.MaxEvents <= 10_000_000, "deduplication.max_events", c.Deduplication.MaxEvents, "1000 to 10000000"),
		api.Need(c.Limits.RequestsPerMinute >= 10, "limits.requests_per_minute", c.Limits.RequestsPerMinute, "10 or more"),
		api.Need(c.Limits.DialsPerMinute >= 1, "limits.dials_per_minute", c.Limits.DialsPerMinute, "1 or more"),
		api.Need(c.Notifications.RefreshInterval >= time.Second, "notifications.refresh_interval", c.Notifications.RefreshInterval, "1s or more"),
		api.Need(!slices.Contains(c.Notifications.Topics, ""), "notifications.topics", c.Notifications.Topics, "names, none empty"),
	}, func(err error) bool { return err == nil })
}

func (c *Config) validateNumbers() []error {
	return slices.DeleteFunc([]error{
		api.Need(!strings.ContainsFunc(c.Subprotocol, notToken) && c.Subprotocol != "", "subprotocol", c.Subprotocol, "auto, or a name of letters, digits and .-_+"),
		api.Need(!c.Preflight.Enabled || strings.HasPrefix(c.Preflight.Path, "/"), "preflight.path", c.Preflight.Path, "a path that begins with /"),
		api.Need(c.Connections >= 1 && c.Connections <= 100, "connections", c.Connections, "1 to 100"),
		api.Need(c.Heartbeat.Interval > 0, "heartbeat.interval", c.Heartbeat.Interval, "more than 0"),
		api.Need(c.Heartbeat.Timeout > c.Heartbeat.Interval, "heartbeat.timeout", c.Heartbeat.Timeout,
			fmt.Sprintf("more than heartbeat.interval (%v), so that a ping can be answered", c.Heartbeat.Interval)),
		api.Need(c.MaxFrameSize >= 1<<10 && c.MaxFrameSize <= 64<<20, "max_frame_size", c.MaxFrameSize, "1024 to 67108864 bytes"),
		api.Need(c.MaxPayloadSize >= 1 && c.MaxPayloadSize <= 1<<50, "max_payload_size", c.MaxPayloadSize, "1 to 1125899906842624 bytes"),
		api.Need(c.MaxDimensionLength >= 16 && c.MaxDimensionLength <= 1024, "max_dimension_length", c.MaxDimensionLength, "16 to 1024 bytes"),
		api.Need(c.MaxIDLength >= 36 && c.MaxIDLength <= 4096, "max_id_length", c.MaxIDLength, "36 to 4096 bytes"),
		c.validateDimension("tenant_id", c.TenantID),
		c.validateDimension("region", c.Region),
		api.Need(c.Reconnect.InitialInterval > 0, "reconnect.initial_interval", c.Reconnect.InitialInterval, "more than 0"),
		api.Need(c.Reconnect.MaxInterval >= c.Reconnect.InitialInterval, "reconnect.max_interval", c.Reconnect.MaxInterval,
			fmt.Sprintf("at least reconnect.initial_interval (%v)", c.Reconnect.InitialInterval)),
		api.Need(c.Reconnect.Multiplier >= 1, "reconnect.multiplier", c.Reconnect.Multiplier, "at least 1"),
		api.Need(c.Reconnect.RandomizationFactor >= 0 && c.Reconnect.RandomizationFactor < 1, "reconnect.randomization_factor",
			c.Reconnect.RandomizationFactor, "0 or more, and less than 1"),
		api.Need(c.AliveInterval == 0 || c.AliveInterval >= 100*time.Millisecond && c.AliveInterval <= 10*time.Minute, "alive_interval", c.AliveInterval,
			"0 (none), or 100ms to 10m"),
		api.Need(c.Batch.MaxEvents >= 1 && c.Batch.MaxEvents <= 100_000, "batch.max_events", c.Batch.MaxEvents, "1 to 100000"),
		api.Need(c.Batch.Timeout > 0 && c.Batch.Timeout <= time.Minute, "batch.timeout", c.Batch.Timeout, "more than 0, at most 1m"),
	}, func(err error) bool { return err == nil })
}

// validateDimension reports what events could not be named by, either.
func (c *Config) validateDimension(key, value string) error {
	limits := jsonevent.Limits{Dimension: c.MaxDimensionLength}
	switch limits.DimensionFault([]byte(value)) {
	case "":
		return nil
	case wsevent.ViolationFieldTooLong:
		return fmt.Errorf("%s: %d bytes: must be at most max_dimension_length (%d)", key, len(value), c.MaxDimensionLength)
	default:
		return fmt.Errorf("%s: %q: must be UTF-8 without control characters, and without those that change the direction of writing", key, value)
	}
}

// notToken tells characters that cannot be in a subprotocol (RFC 9110, token).
func notToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
}
