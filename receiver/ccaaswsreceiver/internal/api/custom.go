// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// custom is a platform whose session is configured. Its events are those of the realtime
// events contract, or mapped by fields and types.
type custom struct{}

func (custom) Profile() *Profile {
	a := realtimeOf("custom", "")
	a.profile.RedactByDefault = true
	return &a.profile
}

// SessionConfig configures the session of a custom platform.
type SessionConfig struct {
	// URLFrom is an HTTP request whose response has the address of the socket.
	URLFrom URLFromConfig `mapstructure:"url_from"`
	// InitialState is an HTTP request whose response lists the channels that are open.
	InitialState OpenChannelsConfig `mapstructure:"initial_state"`
	// Headers are those of the upgrade.
	Headers map[string]configopaque.String `mapstructure:"headers"`
	// OnOpen are handshake frames, each sent after the reply to the one before.
	OnOpen []ExchangeConfig `mapstructure:"on_open"`
	// KeepAlive is a frame that is sent at an interval.
	KeepAlive KeepAliveConfig `mapstructure:"keep_alive"`
	// IdleTimeout is the maximum time without a data frame, blank ones included; 0: only
	// the heartbeat counts.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`
	// Ignore are frames without events. RotateOn, RenewOn and ThrottleOn are frames that
	// request a new socket, a new token and address, and a pause.
	Ignore     []string `mapstructure:"ignore"`
	RotateOn   []string `mapstructure:"rotate_on"`
	RenewOn    []string `mapstructure:"renew_on"`
	ThrottleOn []string `mapstructure:"throttle_on"`
}

// URLFromConfig configures the request before the upgrade.
type URLFromConfig struct {
	Method  string                         `mapstructure:"method"`
	URL     string                         `mapstructure:"url"`
	Headers map[string]configopaque.String `mapstructure:"headers"`
	Body    configopaque.String            `mapstructure:"body"`
	// Path is that of the address in the response, and Expires that of its expiry.
	Path    string `mapstructure:"path"`
	Expires string `mapstructure:"expires"`
}

// ExchangeConfig is a handshake frame and the reply to it.
type ExchangeConfig struct {
	Send   configopaque.String `mapstructure:"send"`
	Expect string              `mapstructure:"expect"`
}

// KeepAliveConfig configures keep-alive frames.
type KeepAliveConfig struct {
	Send     configopaque.String `mapstructure:"send"`
	Expect   string              `mapstructure:"expect"`
	Interval time.Duration       `mapstructure:"interval"`
	// Unanswered is how many may be without a reply; 0: any number.
	Unanswered int `mapstructure:"unanswered"`
}

func (s *SessionConfig) isSet() bool {
	return s.URLFrom.URL != "" || len(s.Headers)+len(s.OnOpen)+len(s.Ignore)+len(s.RotateOn)+len(s.RenewOn)+len(s.ThrottleOn) > 0 ||
		s.KeepAlive.Send != "" || s.IdleTimeout != 0
}

// rejectSession reports a session that is configured for another platform.
func rejectSession(p *Profile, c *Config) error {
	if !c.Session.isSet() && !c.Session.InitialState.isSet() {
		return nil
	}
	return fmt.Errorf("session: is for platform %q; platform %q with api %q has its own", custom{}.Profile().Platform, p.Platform, p.API)
}

func (custom) Validate(c *Config) error {
	s := &c.Session
	errs := []error{
		Need(s.URLFrom.URL == "" || s.URLFrom.Path != "", "session::url_from::path", s.URLFrom.Path, "the path of the address in the response, as in Websocket.Url"),
		Need(s.URLFrom.URL != "" || s.URLFrom.Path == "", "session::url_from::url", s.URLFrom.URL, "an address, or a path on the host of endpoint"),
		Need(s.URLFrom.Method == http.MethodGet || s.URLFrom.Method == http.MethodPost || s.URLFrom.Method == http.MethodPut,
			"session::url_from::method", s.URLFrom.Method, "GET, POST or PUT"),
		Need(s.KeepAlive.Send == "" || s.KeepAlive.Interval > 0, "session::keep_alive::interval", s.KeepAlive.Interval, "more than 0"),
		Need(s.KeepAlive.Unanswered >= 0, "session::keep_alive::unanswered", s.KeepAlive.Unanswered, "0 (any number) or more"),
		Need(s.IdleTimeout >= 0, "session::idle_timeout", s.IdleTimeout, "0 (off) or more"),
		s.InitialState.validate(),
	}
	for i, one := range s.OnOpen {
		errs = append(errs, Need(one.Send != "", fmt.Sprintf("session::on_open[%d]::send", i), "", "a frame"))
	}
	return errors.Join(errs...)
}

func (a custom) Endpoints(c *Config) (*Endpoints, error) {
	if c.Session.URLFrom.URL != "" {
		return a.discovered(c)
	}
	at, err := a.Profile().endpoints(c, streamPath)
	if err != nil {
		return nil, err
	}
	if at.Preflight, err = c.preflight(at.API); err != nil {
		return nil, err
	}
	return at.completeWithoutClient(c, a.Profile())
}

// discovered returns the endpoints of a platform with session::url_from.
func (a custom) discovered(c *Config) (*Endpoints, error) {
	at := &Endpoints{}
	var err error
	if c.Endpoint != "" {
		if at, err = a.Profile().endpoints(c, "/"); err != nil {
			return nil, err
		}
		at.Socket = nil
	} else {
		var address *url.URL
		if address, err = c.address(c.Session.URLFrom.URL); err != nil {
			return nil, fmt.Errorf("session::url_from::url: %w", err)
		}
		at.API, at.login = httpRoot(address), httpRoot(address)
	}
	if at.URLFrom, err = c.urlOn(at.API, c.Session.URLFrom.URL); err != nil {
		return nil, fmt.Errorf("session::url_from::url: %w", err)
	}
	return at.completeWithoutClient(c, a.Profile())
}

// urlOn parses an address, or a path on the host of another.
func (c *Config) urlOn(root *url.URL, text string) (*url.URL, error) {
	given, err := url.Parse(text)
	if err != nil { // its text repeats what may be a secret
		return nil, errors.New("not an address, nor a path on the host of endpoint")
	}
	at, err := c.address(root.ResolveReference(given).String())
	if err != nil {
		return nil, err
	}
	at.Scheme = httpRoot(at).Scheme
	return at, nil
}

func (custom) Connect(c *Config, at *Endpoints, env *Environment) (*Upstream, error) {
	tokens := env.tokens(c, wsclient.StaticURL(at.Token))
	headers := plainHeaders(c.Session.Headers)
	if at.URLFrom == nil {
		socket := &wsclient.StaticEndpoint{
			Client: env.Client, Preflight: at.Preflight, Socket: at.Socket, Subprotocols: c.Subprotocols, Headers: headers, Private: true,
			Advice: upgradeAdvice(c),
		}
		return newUpstream(c, tokens, socket.Prepare).listing(c, at), nil
	}
	from := &c.Session.URLFrom
	socket := &wsclient.DiscoveredEndpoint{
		Client: env.Client, Method: from.Method, URL: at.URLFrom, Headers: plainHeaders(from.Headers), Body: string(from.Body),
		Path: from.Path, Expires: from.Expires, Upgrade: headers, Check: at.Check,
	}
	return newUpstream(c, tokens, socket.Prepare).listing(c, at), nil
}

// upgradeAdvice is what to check where a platform refuses the upgrade.
func upgradeAdvice(c *Config) string {
	requested := "no subprotocol is requested"
	if len(c.Subprotocols) > 0 {
		requested = fmt.Sprintf("the subprotocol is %q", c.Subprotocols[0])
	}
	path := "the path is that of endpoint"
	if address, err := c.endpoint(""); err == nil && address.Path == "" {
		path = "endpoint has no path, so it is " + streamPath
	}
	return fmt.Sprintf("platform custom needs the path of the platform's events in endpoint (%s) and its subprotocol in subprotocol (%s): check both", path, requested)
}

func (custom) Protocol(c *Config) wsclient.Protocol {
	s := &c.Session
	p := wsclient.Protocol{IdleTimeout: s.IdleTimeout}
	for _, one := range s.OnOpen {
		p.OnOpen = append(p.OnOpen, wsclient.HandshakeStep{Send: string(one.Send), Expect: pattern(one.Expect)})
	}
	if s.KeepAlive.Send != "" {
		p.KeepAlive = wsclient.KeepAlive{
			Send: string(s.KeepAlive.Send), Expect: pattern(s.KeepAlive.Expect), Interval: s.KeepAlive.Interval, Unanswered: s.KeepAlive.Unanswered,
		}
	}
	for action, texts := range map[wsclient.ControlAction][]string{
		wsclient.Ignore: s.Ignore, wsclient.Rotate: s.RotateOn, wsclient.Renew: s.RenewOn, wsclient.Throttle: s.ThrottleOn,
	} {
		for _, text := range texts {
			p.Controls = append(p.Controls, wsclient.ControlFrame{Match: wsclient.NewPattern(text), Action: action})
		}
	}
	// Frames with an effect are matched before those that are ignored.
	slices.SortStableFunc(p.Controls, func(a, b wsclient.ControlFrame) int { return cmp.Compare(b.Action, a.Action) })
	return p
}

// pattern returns that of a reply; nil where none is expected.
func pattern(text string) *wsclient.Pattern {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return wsclient.NewPattern(text)
}

// plainHeaders returns headers as they are sent.
func plainHeaders(headers map[string]configopaque.String) map[string]string {
	all := make(map[string]string, len(headers))
	for name, value := range headers {
		all[name] = string(value)
	}
	return all
}

// Diagnose sends the pre-flight request, or the one for the address of the socket unless it
// may create something.
func (custom) Diagnose(ctx context.Context, d *Diagnosis, up *Upstream) {
	switch {
	case d.At.URLFrom == nil:
		d.preflight(ctx, up)
	case d.Config.Session.URLFrom.Method != http.MethodGet:
		d.Report.Skipped("address", "session::url_from sends a %s, which may create a connection", d.Config.Session.URLFrom.Method)
	default:
		d.address(ctx, up)
	}
}
