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
	_ "time/tzdata" // for timezone, on machines without time zones

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
	// API selects the platform API that delivers events: realtime_events, notifications
	// or event_hub.
	API string `mapstructure:"api"`
	// Region selects the platform's hosts, and is the region of events without one.
	Region string `mapstructure:"region"`
	// Endpoint is a host or a URL, instead of the region's.
	Endpoint string `mapstructure:"endpoint"`
	// TenantID is the tenant of events without one.
	TenantID string `mapstructure:"tenant_id"`
	// OAuth2 configures how the bearer token is obtained.
	OAuth2 OAuth2Config `mapstructure:"oauth2"`
	// AllowedHosts are the hosts that may get credentials when a response of the platform
	// names them, besides those of the configuration; empty: the platform's.
	AllowedHosts []string `mapstructure:"allowed_hosts"`
	// Subprotocol is requested on the socket; auto: the first of the platform's own and of
	// Subprotocols that the platform supports.
	Subprotocol string `mapstructure:"subprotocol"`
	// Subprotocols may be used besides the platform's own.
	Subprotocols []string `mapstructure:"subprotocols"`
	// Notifications configures the API of that name.
	Notifications NotificationsConfig `mapstructure:"notifications"`
	// EventHub configures the API of that name.
	EventHub EventHubConfig `mapstructure:"event_hub"`
	// Session configures the session of a custom platform.
	Session SessionConfig `mapstructure:"session"`
	// Preflight requests the platform's subprotocols before the socket is opened.
	Preflight PreflightConfig `mapstructure:"preflight"`
	// Connections is the number of independent connections.
	Connections int `mapstructure:"connections"`
	// Heartbeat detects half-open connections.
	Heartbeat HeartbeatConfig `mapstructure:"heartbeat"`
	// MaxFrameSize is the maximum size of a frame, in bytes.
	MaxFrameSize int `mapstructure:"max_frame_size"`
	// PayloadSize is the source of the size of a message: event, text, object or none.
	PayloadSize string `mapstructure:"payload_size"`
	// MaxPayloadSize is the maximum size of a message, in bytes.
	MaxPayloadSize int64 `mapstructure:"max_payload_size"`
	// MaxDimensionLength is the maximum length of tenant_id, region and channel_type of
	// an event, in bytes.
	MaxDimensionLength int `mapstructure:"max_dimension_length"`
	// MaxIDLength is the maximum length of channel_id, user_id and id of an event, in
	// bytes.
	MaxIDLength int `mapstructure:"max_id_length"`
	// Timezone is the IANA time zone of timestamps without one.
	Timezone string `mapstructure:"timezone"`
	// Reconnect configures the wait between connection attempts.
	Reconnect ReconnectConfig `mapstructure:"reconnect"`
	// Rotation configures how a socket is replaced before it is lost.
	Rotation RotationConfig `mapstructure:"rotation"`
	// Deduplication configures how long events are remembered.
	Deduplication DeduplicationConfig `mapstructure:"deduplication"`
	// Limits bound the requests to the platform.
	Limits LimitsConfig `mapstructure:"limits"`
	// Batch bounds the batches of records.
	Batch BatchConfig `mapstructure:"batch"`
	// AliveInterval is the time between two stream.alive records of a stream; 0: none.
	AliveInterval time.Duration `mapstructure:"alive_interval"`
	// Encoding selects how events are emitted: records, blocks or both.
	Encoding string `mapstructure:"encoding"`
	// Raw selects the bodies of records: full, redacted or none of the received object.
	Raw string `mapstructure:"raw"`
	// IncludeRaw is an alias of Raw: true is full, false is none.
	IncludeRaw bool `mapstructure:"include_raw"`
	// Redact are paths of values that are redacted besides the defaults.
	Redact []string `mapstructure:"redact"`
	// UserID selects the form of user ids: plain, hash or none.
	UserID string `mapstructure:"user_id"`
	// UserIDKey is the key of the hash.
	UserIDKey configopaque.String `mapstructure:"user_id_key"`
	// Fields are the paths of an event's fields.
	Fields jsonevent.Fields `mapstructure:"fields"`
	// Types are the conditions that make an object an event of a type, for platforms
	// with other types.
	Types jsonevent.Types `mapstructure:"types"`
	// InitialState asks the platform for the channels that events do not report.
	InitialState InitialStateConfig `mapstructure:"initial_state"`
	// Storage keeps what is known of channels over a restart; nil: nothing is kept.
	Storage *component.ID `mapstructure:"storage"`
	// TLS is for HTTP and WebSocket connections.
	TLS configtls.ClientConfig `mapstructure:"tls"`
	// ProxyURL is for HTTP and WebSocket connections; empty: that of the environment.
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
	// OpenChannelsConfig configures the request for the channels that are open.
	OpenChannelsConfig = api.OpenChannelsConfig
	// KeepAliveConfig configures keep-alive frames.
	KeepAliveConfig = api.KeepAliveConfig
	// PreflightConfig configures the request before the upgrade.
	PreflightConfig = api.PreflightConfig
)

// HeartbeatConfig detects half-open connections.
type HeartbeatConfig struct {
	// Interval is the time between pings.
	Interval time.Duration `mapstructure:"interval"`
	// Timeout is the maximum time without any inbound data, pongs included.
	Timeout time.Duration `mapstructure:"timeout"`
}

// ReconnectConfig configures the wait between connection attempts.
type ReconnectConfig struct {
	InitialInterval     time.Duration `mapstructure:"initial_interval"`
	MaxInterval         time.Duration `mapstructure:"max_interval"`
	Multiplier          float64       `mapstructure:"multiplier"`
	RandomizationFactor float64       `mapstructure:"randomization_factor"`
}

// RotationConfig configures the replacement of sockets.
type RotationConfig struct {
	// Overlap is how long the old socket is read beside the new one.
	Overlap time.Duration `mapstructure:"overlap"`
	// MaxAge is the maximum age of a socket; 0 disables the age limit.
	MaxAge time.Duration `mapstructure:"max_age"`
}

// DeduplicationConfig configures the removal of duplicate events.
type DeduplicationConfig struct {
	// Window is how long an event is remembered; 0 disables deduplication.
	Window time.Duration `mapstructure:"window"`
	// MaxEvents is the maximum number of events that each connection remembers.
	MaxEvents int `mapstructure:"max_events"`
}

// LimitsConfig bounds the requests of a receiver to its platform.
type LimitsConfig struct {
	RequestsPerMinute int `mapstructure:"requests_per_minute"`
	DialsPerMinute    int `mapstructure:"dials_per_minute"`
}

// InitialStateConfig configures the requests for channels: at the start, after a gap, and
// at an interval.
type InitialStateConfig struct {
	Enabled bool `mapstructure:"enabled"`
	// Settle is the time after which the platform's history is complete.
	Settle time.Duration `mapstructure:"settle"`
	// ReconcileInterval is the time between two comparisons with the platform's counts.
	ReconcileInterval time.Duration `mapstructure:"reconcile_interval"`
	// StuckAfter is the time without an event after which an open conversation is stuck.
	StuckAfter time.Duration `mapstructure:"stuck_after"`
	// MaxChannels is the maximum number of open channels that are compared.
	MaxChannels int `mapstructure:"max_channels"`
}

// BatchConfig bounds the batches of records.
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

// Unmarshal reads the configuration. Settings that are not given have the API's defaults.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := confduration.Unmarshal(conf, c); err != nil {
		return err
	}
	if platform, known := api.PlatformOf(c.Endpoint); known && !conf.IsSet("platform") {
		c.Platform = platform
	}
	upstream, err := api.Lookup(c.Platform, c.API)
	if err != nil {
		return nil //nolint:nilerr // Validate reports it
	}
	profile := upstream.Profile()
	c.OAuth2.Scopes, c.OAuth2.ExtraScopes = splitScopes(c.OAuth2.Scopes), splitScopes(c.OAuth2.ExtraScopes)
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

// splitScopes splits texts of several scopes, as RFC 6749 writes them.
func splitScopes(texts []string) []string {
	var scopes []string
	for _, text := range texts {
		scopes = append(scopes, strings.Fields(text)...)
	}
	return scopes
}

// Validate reports all invalid settings, each with its YAML key.
func (c *Config) Validate() error {
	upstream, err := api.Lookup(c.Platform, c.API)
	if err != nil {
		return err
	}
	profile := upstream.Profile()
	settings := c.upstream(profile)
	errs := []error{c.validateOAuth2(), upstream.Validate(settings), api.ValidateAllowedHosts(c.AllowedHosts), c.validatePayloadSize(profile), c.validatePrivacy(), c.validateEncoding()}
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
	errs = append(errs, c.validateInitialState(profile)...)
	return errors.Join(errs...)
}

// upstream returns the part of the configuration that depends on the API.
func (c *Config) upstream(profile *api.Profile) *api.Config {
	subprotocols := []string{c.Subprotocol}
	if c.Subprotocol == autoSubprotocol {
		subprotocols = profile.Subprotocols(c.Subprotocols)
	}
	return &api.Config{
		Region: c.Region, Endpoint: c.Endpoint, AllowedHosts: c.AllowedHosts, OAuth2: c.OAuth2, Subprotocols: subprotocols,
		Preflight: c.Preflight, Notifications: c.Notifications, EventHub: c.EventHub, Session: c.Session,
		Connections: c.Connections, Heartbeat: wsclient.Heartbeat(c.Heartbeat), Overlap: c.Rotation.Overlap,
		Deduplication: c.Deduplication.Window, PayloadSize: c.PayloadSize, Insecure: c.TLS.Insecure,
	}
}

// mapping returns the paths of fields and the conditions of types: those of the API
// unless configured.
func (c *Config) mapping(profile *api.Profile) (jsonevent.Fields, jsonevent.Types) {
	fields := c.Fields
	fields.Text = "" // configured separately
	if len(c.Types) == 0 && fields == jsonevent.DefaultFields() {
		return profile.Fields, profile.Types
	}
	return fields, c.Types
}

// decoder returns a decoder of frames with JSON events.
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

// text returns the path of the text of a message.
func (c *Config) text(profile *api.Profile) string { return cmp.Or(c.Fields.Text, profile.Fields.Text) }

func (c *Config) validatePayloadSize(profile *api.Profile) error {
	kinds := []string{api.SizeOfEvent, api.SizeOfText, api.SizeOfObject, api.SizeOfNone}
	switch {
	case !slices.Contains(kinds, c.PayloadSize):
		return fmt.Errorf("payload_size: %q: must be one of %s", c.PayloadSize, strings.Join(kinds, ", "))
	case c.PayloadSize != api.SizeOfText:
		return nil
	case c.text(profile) == "":
		return errors.New(`payload_size: "text": needs fields::text, the path of the text`)
	}
	return nil
}

func (c *Config) validateEncoding() error {
	kinds := []string{encodingRecords, encodingBlocks, encodingBoth}
	return api.Need(slices.Contains(kinds, c.Encoding), "encoding", c.Encoding, "one of "+strings.Join(kinds, ", "))
}

func (c *Config) validateOAuth2() error {
	o := &c.OAuth2
	return errors.Join(
		api.Need(o.GrantType == clientCredentials || o.GrantType == passwordGrant, "oauth2::grant_type", o.GrantType, clientCredentials+" or "+passwordGrant),
		api.Need(o.GrantType != passwordGrant || o.Username != "", "oauth2::username", o.Username, "given with oauth2::grant_type: password"),
		api.Need(o.GrantType != passwordGrant || o.Password != "", "oauth2::password", "", "given with oauth2::grant_type: password"),
		api.Need(o.GrantType == passwordGrant || o.Username == "" && o.Password == "", "oauth2::username", "…", "left out unless oauth2::grant_type is password"),
		api.Need(!o.StrictScopes || len(o.Scopes) > 0, "oauth2::strict_scopes", o.StrictScopes, "false while oauth2::scopes is empty: there is nothing to compare with"),
	)
}

func (c *Config) validateRotation() []error {
	return slices.DeleteFunc([]error{
		api.Need(c.Rotation.Overlap >= 0 && c.Rotation.Overlap <= 10*time.Minute, "rotation::overlap", c.Rotation.Overlap, "0 to 10m"),
		api.Need(c.Rotation.MaxAge >= 0, "rotation::max_age", c.Rotation.MaxAge, "0 (no limit) or more"),
		api.Need(c.Deduplication.Window >= 0 && c.Deduplication.Window <= time.Hour, "deduplication::window", c.Deduplication.Window, "0 (off) to 1h"),
		api.Need(c.Deduplication.MaxEvents >= 1000 && c.Deduplication.MaxEvents <= 10_000_000, "deduplication::max_events", c.Deduplication.MaxEvents, "1000 to 10000000"),
		api.Need(c.Limits.RequestsPerMinute >= 10, "limits::requests_per_minute", c.Limits.RequestsPerMinute, "10 or more"),
		api.Need(c.Limits.DialsPerMinute >= 1, "limits::dials_per_minute", c.Limits.DialsPerMinute, "1 or more"),
		api.Need(c.Notifications.RefreshInterval >= time.Second, "notifications::refresh_interval", c.Notifications.RefreshInterval, "1s or more"),
		api.Need(!slices.Contains(c.Notifications.Topics, ""), "notifications::topics", c.Notifications.Topics, "names, none empty"),
	}, func(err error) bool { return err == nil })
}

func (c *Config) validateNumbers() []error {
	return slices.DeleteFunc([]error{
		api.Need(isToken(c.Subprotocol), "subprotocol", c.Subprotocol, "auto, or a name of letters, digits and .-_+"),
		c.validateSubprotocols(),
		api.Need(!c.Preflight.Enabled || strings.HasPrefix(c.Preflight.Path, "/"), "preflight::path", c.Preflight.Path, "a path that begins with /"),
		api.Need(c.Connections >= 1 && c.Connections <= 100, "connections", c.Connections, "1 to 100"),
		api.Need(c.Heartbeat.Interval > 0, "heartbeat::interval", c.Heartbeat.Interval, "more than 0"),
		api.Need(c.Heartbeat.Timeout > c.Heartbeat.Interval, "heartbeat::timeout", c.Heartbeat.Timeout,
			fmt.Sprintf("more than heartbeat::interval (%v), so that a ping can be answered", c.Heartbeat.Interval)),
		api.Need(c.MaxFrameSize >= 1<<10 && c.MaxFrameSize <= 64<<20, "max_frame_size", c.MaxFrameSize, "1024 to 67108864 bytes"),
		api.Need(c.MaxPayloadSize >= 1 && c.MaxPayloadSize <= 1<<50, "max_payload_size", c.MaxPayloadSize, "1 to 1125899906842624 bytes"),
		api.Need(c.MaxDimensionLength >= 16 && c.MaxDimensionLength <= 1024, "max_dimension_length", c.MaxDimensionLength, "16 to 1024 bytes"),
		api.Need(c.MaxIDLength >= 36 && c.MaxIDLength <= 4096, "max_id_length", c.MaxIDLength, "36 to 4096 bytes"),
		c.validateDimension("tenant_id", c.TenantID),
		c.validateDimension("region", c.Region),
		api.Need(c.Reconnect.InitialInterval > 0, "reconnect::initial_interval", c.Reconnect.InitialInterval, "more than 0"),
		api.Need(c.Reconnect.MaxInterval >= c.Reconnect.InitialInterval, "reconnect::max_interval", c.Reconnect.MaxInterval,
			fmt.Sprintf("at least reconnect::initial_interval (%v)", c.Reconnect.InitialInterval)),
		api.Need(c.Reconnect.Multiplier >= 1, "reconnect::multiplier", c.Reconnect.Multiplier, "at least 1"),
		api.Need(c.Reconnect.RandomizationFactor >= 0 && c.Reconnect.RandomizationFactor < 1, "reconnect::randomization_factor",
			c.Reconnect.RandomizationFactor, "0 or more, and less than 1"),
		api.Need(c.AliveInterval == 0 || c.AliveInterval >= 100*time.Millisecond && c.AliveInterval <= 10*time.Minute, "alive_interval", c.AliveInterval,
			"0 (none), or 100ms to 10m"),
		api.Need(c.Batch.MaxEvents >= 1 && c.Batch.MaxEvents <= 100_000, "batch::max_events", c.Batch.MaxEvents, "1 to 100000"),
		api.Need(c.Batch.Timeout > 0 && c.Batch.Timeout <= time.Minute, "batch::timeout", c.Batch.Timeout, "more than 0, at most 1m"),
	}, func(err error) bool { return err == nil })
}

func (c *Config) validateInitialState(profile *api.Profile) []error {
	s := &c.InitialState
	return slices.DeleteFunc([]error{
		api.Need(!s.Enabled || profile.OpenChannels || c.Session.InitialState.URL != "", "initial_state::enabled", s.Enabled,
			fmt.Sprintf("false with api %q of platform %q: it has no request for open channels, and session::initial_state is none", profile.API, profile.Platform)),
		api.Need(s.Enabled || c.Session.InitialState.URL == "", "session::initial_state::url", "…", "left out without initial_state::enabled: true"),
		api.Need(s.Settle >= 0 && s.Settle <= time.Hour, "initial_state::settle", s.Settle, "0 to 1h"),
		api.Need(s.ReconcileInterval >= time.Second && s.ReconcileInterval <= 24*time.Hour, "initial_state::reconcile_interval", s.ReconcileInterval, "1s to 24h"),
		api.Need(s.StuckAfter >= time.Second, "initial_state::stuck_after", s.StuckAfter, "1s or more"),
		api.Need(s.MaxChannels >= 1000 && s.MaxChannels <= 1_000_000, "initial_state::max_channels", s.MaxChannels, "1000 to 1000000"),
		api.Need(c.Storage == nil || s.Enabled, "storage", c.Storage, "left out without initial_state::enabled: nothing else is kept"),
	}, func(err error) bool { return err == nil })
}

// validateDimension reports a value that events could not have, either.
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

// maxSubprotocols bounds the header of the upgrade.
const maxSubprotocols = 16

func (c *Config) validateSubprotocols() error {
	errs := []error{
		api.Need(len(c.Subprotocols) <= maxSubprotocols, "subprotocols", len(c.Subprotocols), fmt.Sprintf("at most %d names", maxSubprotocols)),
		api.Need(len(c.Subprotocols) == 0 || c.Subprotocol == autoSubprotocol, "subprotocol", c.Subprotocol, "auto where subprotocols are given"),
	}
	for i, name := range c.Subprotocols {
		errs = append(errs, api.Need(isToken(name) && name != autoSubprotocol, fmt.Sprintf("subprotocols[%d]", i), name, "a name of letters, digits and .-_+"))
	}
	return errors.Join(errs...)
}

func isToken(name string) bool { return name != "" && !strings.ContainsFunc(name, notToken) }

// notToken reports whether a character cannot be in a subprotocol (RFC 9110, token).
func notToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
}
