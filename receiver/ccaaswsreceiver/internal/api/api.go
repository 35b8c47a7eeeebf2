// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package api has one file for each platform API: its names, defaults, validation,
// endpoints, requests before a socket, frames and background tasks. Nothing outside this
// package depends on which API is configured.
package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/config/configopaque"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/lifecycle"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// API is one API of a platform. Its methods are called with a configuration whose
// platform and api name it.
type API interface {
	// Profile returns what does not depend on the configuration.
	Profile() *Profile
	// Validate reports invalid settings, each with its YAML key.
	Validate(c *Config) error
	// Endpoints resolves the addresses. Its error names a YAML key.
	Endpoints(c *Config) (*Endpoints, error)
	// Protocol returns the frames that are not events.
	Protocol(c *Config) wsclient.Protocol
	// Connect returns how sessions reach the platform. It sends no request.
	Connect(c *Config, at *Endpoints, env *Environment) (*Upstream, error)
	// Diagnose checks with a token what is specific to the API. It changes nothing at the
	// platform, and opens no socket.
	Diagnose(ctx context.Context, d *Diagnosis, up *Upstream)
}

// all returns the APIs. The first is the default.
func all() []API {
	return []API{
		genesysRealtime(),
		genesysNotifications{},
		niceRealtime(),
		niceEventHub{},
		custom{},
	}
}

// Default returns the names of the default API.
func Default() (platform, name string) {
	first := all()[0].Profile()
	return first.Platform, first.API
}

// Lookup returns the API of a platform. Its error names the YAML key.
func Lookup(platform, name string) (API, error) {
	var platforms, names []string
	for _, one := range all() {
		profile := one.Profile()
		if profile.Platform == platform && profile.API == name {
			return one, nil
		}
		if profile.Platform == platform {
			names = append(names, profile.API)
		}
		if !slices.Contains(platforms, profile.Platform) {
			platforms = append(platforms, profile.Platform)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("platform: %q: must be one of %s", platform, strings.Join(platforms, ", "))
	}
	slices.Sort(names)
	return nil, fmt.Errorf("api: %q: must be %s with platform %q", name, strings.Join(names, " or "), platform)
}

// Profile is the constants and defaults of an API.
type Profile struct {
	Platform, API string // names

	// Defaults of settings.
	Subprotocol  string // empty: none is requested
	Scopes       []string
	Fields       jsonevent.Fields
	Types        jsonevent.Types
	PayloadSize  string
	Heartbeat    wsclient.Heartbeat
	Backoff      wsclient.Backoff
	AllowedHosts []string // *.example.com stands for all hosts below it
	// OpenChannels reports whether the platform has a request for the channels that are open.
	OpenChannels bool
	// UsedHeader and AllowedHeader are of responses: the requests of a minute, and how many
	// are allowed; empty: there are none.
	UsedHeader, AllowedHeader string
	// RedactByDefault reports whether events may have content of messages or personal data.
	RedactByDefault bool

	// AbnormalReasons are the close reasons of dropped connections, for close events
	// without a code.
	AbnormalReasons []string

	domains map[string]string // by region; nil: the platform has no known regions
}

// Values of payload_size.
const (
	SizeOfEvent  = "event"  // the event's field
	SizeOfText   = "text"   // the length of the text, in bytes of UTF-8
	SizeOfObject = "object" // the length of the event's object, in bytes
	SizeOfNone   = "none"   // no message has a size
)

// abnormalReasons are the default of AbnormalReasons.
func abnormalReasons() []string {
	return []string{"transport.failure", "error", "timeout", "system", "uncallable"}
}

// hosts are the hosts of a platform in a region.
type hosts struct{ api, login, streaming string }

func (p *Profile) hosts(region string) (hosts, bool) {
	domain, known := p.domains[hyphenated(region)]
	if !known {
		return hosts{}, false
	}
	return hosts{api: "api." + domain, login: "login." + domain, streaming: "streaming." + domain}, true
}

// Region returns a known region with hyphens, as events name it, any other unchanged.
func (p *Profile) Region(region string) string {
	if _, known := p.hosts(region); known {
		return hyphenated(region)
	}
	return region
}

func (p *Profile) regions() []string { return slices.Sorted(maps.Keys(p.domains)) }

func hyphenated(region string) string { return strings.ReplaceAll(region, "_", "-") }

// Config is the part of the receiver's configuration that depends on the API.
type Config struct {
	Region, Endpoint string
	AllowedHosts     []string
	OAuth2           OAuth2Config
	Subprotocols     []string // the preferred first; empty: none is requested
	Preflight        PreflightConfig
	Notifications    NotificationsConfig
	EventHub         EventHubConfig
	Session          SessionConfig
	Connections      int
	Heartbeat        wsclient.Heartbeat
	Overlap          time.Duration // of two sockets in a rotation
	Deduplication    time.Duration // window; 0: off
	PayloadSize      string
	Insecure         bool // tls.insecure
}

// OAuth2Config configures how the bearer token is obtained.
type OAuth2Config struct {
	ClientID     string              `mapstructure:"client_id"`
	ClientSecret configopaque.String `mapstructure:"client_secret"`
	// GrantType is client_credentials or password.
	GrantType string `mapstructure:"grant_type"`
	// Username and Password are for the password grant: the access key and its secret
	// of NICE CXone.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// TokenURL is the token endpoint; empty: the platform's.
	TokenURL string   `mapstructure:"token_url"`
	Scopes   []string `mapstructure:"scopes"`
	// StrictScopes refuses a token that has more than Scopes and ExtraScopes.
	StrictScopes bool `mapstructure:"strict_scopes"`
	// ExtraScopes are scopes that a token may have besides Scopes. They are not requested.
	ExtraScopes []string `mapstructure:"extra_scopes"`
}

// Environment is what the receiver provides.
type Environment struct {
	Client    *http.Client
	Telemetry *metadata.TelemetryBuilder
	Logger    *zap.Logger
	Observe   Observe // nil: nothing reconciles
	// Granted reports each token that was issued; nil: nothing else does than the log.
	Granted func(wsclient.Grant)
}

// Upstream is the connection setup of a receiver's sessions.
type Upstream struct {
	Sessions int
	Tokens   *wsclient.Tokens // nil: no token
	Prepare  func(session int) wsclient.Prepare
	// NewDecode returns the decode function of a connection. The decoder is that of the
	// configured fields and types.
	NewDecode func(decoder *jsonevent.Decoder) Decode
	Idle      func(session int) bool // whether a session has nothing to connect for; nil: none is idle
	Run       func(context.Context)  // a background task; nil: none
	History   *History               // nil: the platform has none
	State     State                  // of what NewDecode's functions know; nil: none is kept
	// Quotas returns the limits of the API besides that of requests; nil: there are none.
	Quotas func(now time.Time) []Quota
}

// State is kept over a restart. It is safe for concurrent use.
type State interface {
	Encode(now time.Time) ([]byte, error)
	Restore(value []byte) error
}

// Quota is how much of a limit of the platform is used.
type Quota struct {
	Name   string
	Used   float64 // 0 to 1, or more
	Advice string  // what to do where it is nearly used; empty: nothing
}

// Decode passes the events of a frame to a sink.
type Decode func(text []byte, at time.Time, to jsonevent.Sink)

// newUpstream returns an upstream whose sessions are all alike.
func newUpstream(c *Config, tokens *wsclient.Tokens, prepare wsclient.Prepare) *Upstream {
	return &Upstream{
		Sessions: c.Connections, Tokens: tokens, NewDecode: newDecode(nil),
		Prepare: func(int) wsclient.Prepare { return prepare },
	}
}

// newDecode returns the NewDecode of JSON events. Complete, where it is not nil, returns
// a sink before another. Where types make objects events, several may match one change
// of a channel: the connections share the state of channels.
func newDecode(complete func(next jsonevent.Sink) jsonevent.Sink) func(*jsonevent.Decoder) Decode {
	var mutex sync.Mutex // held while a frame is decoded
	channels := lifecycle.NewChannels()
	return func(decoder *jsonevent.Decoder) Decode {
		if !decoder.HasTypes() {
			return func(text []byte, _ time.Time, to jsonevent.Sink) { decoder.Decode(text, to) }
		}
		order := &lifecycle.Sink{Channels: channels}
		var first jsonevent.Sink = order
		if complete != nil {
			first = complete(order)
		}
		return func(text []byte, _ time.Time, to jsonevent.Sink) {
			mutex.Lock()
			defer mutex.Unlock()
			order.Next = to
			decoder.Decode(text, first)
		}
	}
}

// Need returns nil if ok, otherwise an error with the key, the value and the requirement.
func Need(ok bool, key string, value any, requirement string) error {
	if ok {
		return nil
	}
	if text, isText := value.(string); isText {
		value = fmt.Sprintf("%q", text)
	}
	return fmt.Errorf("%s: %v: must be %s", key, value, requirement)
}
