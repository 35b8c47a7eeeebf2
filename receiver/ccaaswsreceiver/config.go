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
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/platform"
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

// OAuth2Config is for the bearer token.
type OAuth2Config struct {
	ClientID     string              `mapstructure:"client_id"`
	ClientSecret configopaque.String `mapstructure:"client_secret"`
	// GrantType is client_credentials or password.
	GrantType string `mapstructure:"grant_type"`
	// Username and Password are for the password grant: with NICE CXone the access
	// key and its secret.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// TokenURL is the token endpoint; empty: the platform's.
	TokenURL string   `mapstructure:"token_url"`
	Scopes   []string `mapstructure:"scopes"`
	// StrictScopes refuses a token that was granted more than Scopes.
	StrictScopes bool `mapstructure:"strict_scopes"`
}

// NotificationsConfig is for the Notification Service of Genesys Cloud.
type NotificationsConfig struct {
	// Topics are what to subscribe to; none: those of the queues there are.
	Topics []string `mapstructure:"topics"`
	// RefreshInterval is how often to look for new queues.
	RefreshInterval time.Duration `mapstructure:"refresh_interval"`
}

// EventHubConfig is for the digital event hub of NICE CXone.
type EventHubConfig struct {
	// TenantID and UserID are whose hub it is; empty: as the token says.
	TenantID string `mapstructure:"tenant_id"`
	UserID   string `mapstructure:"user_id"`
	// DiscoveryURL is where the platform says where things are.
	DiscoveryURL string `mapstructure:"discovery_url"`
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
	profile, _ := platform.Lookup(c.Platform)
	api, known := profile.API(c.API)
	if !known {
		return nil // Validate says so
	}
	c.OAuth2.Scopes = splitScopes(c.OAuth2.Scopes)
	if !conf.IsSet("oauth2::scopes") {
		c.OAuth2.Scopes = api.Scopes
	}
	if err := c.resolveRaw(conf); err != nil {
		return err
	}
	if !conf.IsSet("payload_size") {
		c.PayloadSize = api.PayloadSize
	}
	if !conf.IsSet("heartbeat::interval") {
		c.Heartbeat.Interval = api.Heartbeat.Interval
	}
	if !conf.IsSet("heartbeat::timeout") {
		c.Heartbeat.Timeout = api.Heartbeat.Timeout
	}
	if !conf.IsSet("reconnect::initial_interval") {
		c.Reconnect.InitialInterval = api.Pace.Initial
	}
	if !conf.IsSet("reconnect::max_interval") {
		c.Reconnect.MaxInterval = max(api.Pace.Max, c.Reconnect.InitialInterval)
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
	profile, known := platform.Lookup(c.Platform)
	if !known {
		return fmt.Errorf("platform: %q: must be one of %s", c.Platform, strings.Join(platform.Names(), ", "))
	}
	api, known := profile.API(c.API)
	if !known {
		return fmt.Errorf("api: %q: must be %s with platform %q", c.API, strings.Join(profile.APIs(), " or "), c.Platform)
	}
	errs := []error{c.validateOAuth2(), c.validateSession(&api), c.validateAllowedHosts(), c.validatePayloadSize(&api), c.validatePrivacy()}
	if _, err := c.target(&profile); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.proxy(); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.decoder(&api); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.validateNumbers()...)
	errs = append(errs, c.validateRotation()...)
	return errors.Join(errs...)
}

// mapping returns where the fields of events are, and what makes an object one.
func (c *Config) mapping(api *platform.API) (jsonevent.Fields, jsonevent.Types) {
	fields := c.Fields
	fields.Text = "" // configured by itself
	if len(c.Types) == 0 && fields == jsonevent.DefaultFields() {
		return api.Fields, api.Types
	}
	return fields, c.Types
}

// decoder makes a decoder of frames whose objects are events.
func (c *Config) decoder(api *platform.API) (*jsonevent.Decoder, error) {
	fields, types := c.mapping(api)
	fields.Text = c.text(api)
	switch c.PayloadSize {
	case platform.SizeOfEvent:
		fields.Text = ""
	case platform.SizeOfText:
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
func (c *Config) text(api *platform.API) string { return cmp.Or(c.Fields.Text, api.Fields.Text) }

func (c *Config) validatePayloadSize(api *platform.API) error {
	kinds := []string{platform.SizeOfEvent, platform.SizeOfText, platform.SizeOfObject, platform.SizeOfNone}
	switch {
	case !slices.Contains(kinds, c.PayloadSize):
		return fmt.Errorf("payload_size: %q: must be one of %s", c.PayloadSize, strings.Join(kinds, ", "))
	case c.PayloadSize != platform.SizeOfText:
		return nil
	case c.API == platform.Notifications:
		return errors.New(`payload_size: "text": must be event, object or none with api: notifications, which sends no text`)
	case c.text(api) == "":
		return errors.New(`payload_size: "text": needs fields.text, the path of the text`)
	}
	return nil
}

func (c *Config) validateOAuth2() error {
	o := &c.OAuth2
	return errors.Join(
		need(o.GrantType == clientCredentials || o.GrantType == passwordGrant, "oauth2.grant_type", o.GrantType, clientCredentials+" or "+passwordGrant),
		need(o.GrantType != passwordGrant || o.Username != "", "oauth2.username", o.Username, "given with oauth2.grant_type: password"),
		need(o.GrantType != passwordGrant || o.Password != "", "oauth2.password", "", "given with oauth2.grant_type: password"),
		need(o.GrantType == passwordGrant || o.Username == "" && o.Password == "", "oauth2.username", "…", "left out unless oauth2.grant_type is password"),
		need(!o.StrictScopes || len(o.Scopes) > 0, "oauth2.strict_scopes", o.StrictScopes, "false while oauth2.scopes is empty: there is nothing to compare with"),
	)
}

func (c *Config) validateRotation() []error {
	return slices.DeleteFunc([]error{
		need(c.Rotation.Overlap >= 0 && c.Rotation.Overlap <= 10*time.Minute, "rotation.overlap", c.Rotation.Overlap, "0 to 10m"),
		need(c.Rotation.MaxAge >= 0, "rotation.max_age", c.Rotation.MaxAge, "0 (as old as it gets) or more"),
		need(c.Deduplication.Window >= 0 && c.Deduplication.Window <= time.Hour, "deduplication.window", c.Deduplication.Window, "0 (off) to 1h"),
		need(c.Deduplication.Window > 0 || c.API != platform.EventHub, "deduplication.window", c.Deduplication.Window,
			"more than 0 with api: event_hub, which tells of each message twice"),
		need(c.Deduplication.MaxEvents >= 1000 && c.Deduplication.MaxEvents <= 10_000_000, "deduplication.max_events", c.Deduplication.MaxEvents, "1000 to 10000000"),
		need(c.Limits.RequestsPerMinute >= 10, "limits.requests_per_minute", c.Limits.RequestsPerMinute, "10 or more"),
		need(c.Limits.DialsPerMinute >= 1, "limits.dials_per_minute", c.Limits.DialsPerMinute, "1 or more"),
		need(c.Notifications.RefreshInterval >= time.Second, "notifications.refresh_interval", c.Notifications.RefreshInterval, "1s or more"),
		need(!slices.Contains(c.Notifications.Topics, ""), "notifications.topics", c.Notifications.Topics, "names, none empty"),
	}, func(err error) bool { return err == nil })
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
		need(c.MaxPayloadSize >= 1 && c.MaxPayloadSize <= 1<<50, "max_payload_size", c.MaxPayloadSize, "1 to 1125899906842624 bytes"),
		need(c.MaxDimensionLength >= 16 && c.MaxDimensionLength <= 1024, "max_dimension_length", c.MaxDimensionLength, "16 to 1024 bytes"),
		need(c.MaxIDLength >= 36 && c.MaxIDLength <= 4096, "max_id_length", c.MaxIDLength, "36 to 4096 bytes"),
		c.validateDimension("tenant_id", c.TenantID),
		c.validateDimension("region", c.Region),
		need(c.Reconnect.InitialInterval > 0, "reconnect.initial_interval", c.Reconnect.InitialInterval, "more than 0"),
		need(c.Reconnect.MaxInterval >= c.Reconnect.InitialInterval, "reconnect.max_interval", c.Reconnect.MaxInterval,
			fmt.Sprintf("at least reconnect.initial_interval (%v)", c.Reconnect.InitialInterval)),
		need(c.Reconnect.Multiplier >= 1, "reconnect.multiplier", c.Reconnect.Multiplier, "at least 1"),
		need(c.Reconnect.RandomizationFactor >= 0 && c.Reconnect.RandomizationFactor < 1, "reconnect.randomization_factor",
			c.Reconnect.RandomizationFactor, "0 or more, and less than 1"),
		need(c.AliveInterval == 0 || c.AliveInterval >= 100*time.Millisecond && c.AliveInterval <= 10*time.Minute, "alive_interval", c.AliveInterval,
			"0 (none), or 100ms to 10m"),
		need(c.Batch.MaxEvents >= 1 && c.Batch.MaxEvents <= 100_000, "batch.max_events", c.Batch.MaxEvents, "1 to 100000"),
		need(c.Batch.Timeout > 0 && c.Batch.Timeout <= time.Minute, "batch.timeout", c.Batch.Timeout, "more than 0, at most 1m"),
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
