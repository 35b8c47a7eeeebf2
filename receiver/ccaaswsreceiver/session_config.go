// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/platform"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// SessionConfig says how a custom platform is talked to: what the other platforms'
// profiles say of theirs.
type SessionConfig struct {
	// URLFrom is an HTTP request whose answer holds the address of the socket.
	URLFrom URLFromConfig `mapstructure:"url_from"`
	// Headers are those of the upgrade.
	Headers map[string]configopaque.String `mapstructure:"headers"`
	// OnOpen are frames to send when a socket is up, each after the answer to the
	// one before.
	OnOpen []ExchangeConfig `mapstructure:"on_open"`
	// KeepAlive is a frame to send again and again.
	KeepAlive KeepAliveConfig `mapstructure:"keep_alive"`
	// IdleTimeout is of no data frame at all, blank ones included; 0: only the
	// heartbeat counts.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`
	// Ignore are frames that hold no event, and RotateOn, RenewOn and ThrottleOn
	// those that ask for a new socket, for a new token and address, and for peace.
	Ignore     []string `mapstructure:"ignore"`
	RotateOn   []string `mapstructure:"rotate_on"`
	RenewOn    []string `mapstructure:"renew_on"`
	ThrottleOn []string `mapstructure:"throttle_on"`
}

// URLFromConfig is for the request before the upgrade.
type URLFromConfig struct {
	Method  string                         `mapstructure:"method"`
	URL     string                         `mapstructure:"url"`
	Headers map[string]configopaque.String `mapstructure:"headers"`
	Body    configopaque.String            `mapstructure:"body"`
	// Path is where in the answer the address stands, and Expires until when it holds.
	Path    string `mapstructure:"path"`
	Expires string `mapstructure:"expires"`
}

// ExchangeConfig is for a frame and the answer to it.
type ExchangeConfig struct {
	Send   configopaque.String `mapstructure:"send"`
	Expect string              `mapstructure:"expect"`
}

// KeepAliveConfig is for a frame that keeps a socket alive.
type KeepAliveConfig struct {
	Send     configopaque.String `mapstructure:"send"`
	Expect   string              `mapstructure:"expect"`
	Interval time.Duration       `mapstructure:"interval"`
	// Unanswered is how many may go without an answer.
	Unanswered int `mapstructure:"unanswered"`
}

// given is whether anything is said that another platform's profile says already.
func (s *SessionConfig) given() bool {
	return s.URLFrom.URL != "" || len(s.Headers)+len(s.OnOpen)+len(s.Ignore)+len(s.RotateOn)+len(s.RenewOn)+len(s.ThrottleOn) > 0 ||
		s.KeepAlive.Send != "" || s.IdleTimeout != 0
}

func (c *Config) validateSession(api *platform.API) error {
	s := &c.Session
	if c.Platform != platform.Custom {
		if s.given() {
			return fmt.Errorf("session: is for platform %q; platform %q with api %q has its own", platform.Custom, c.Platform, api.Name)
		}
		return nil
	}
	errs := []error{
		need(s.URLFrom.URL == "" || s.URLFrom.Path != "", "session.url_from.path", s.URLFrom.Path, "where in the answer the address stands, as in Websocket.Url"),
		need(s.URLFrom.URL != "" || s.URLFrom.Path == "", "session.url_from.url", s.URLFrom.URL, "an address, or a path on the host of endpoint"),
		need(s.URLFrom.Method == http.MethodGet || s.URLFrom.Method == http.MethodPost || s.URLFrom.Method == http.MethodPut,
			"session.url_from.method", s.URLFrom.Method, "GET, POST or PUT"),
		need(s.KeepAlive.Send == "" || s.KeepAlive.Interval > 0, "session.keep_alive.interval", s.KeepAlive.Interval, "more than 0"),
		need(s.KeepAlive.Unanswered >= 0, "session.keep_alive.unanswered", s.KeepAlive.Unanswered, "0 (any number) or more"),
		need(s.IdleTimeout >= 0, "session.idle_timeout", s.IdleTimeout, "0 (off) or more"),
	}
	for i, one := range s.OnOpen {
		errs = append(errs, need(one.Send != "", fmt.Sprintf("session.on_open[%d].send", i), "", "a frame"))
	}
	return errors.Join(errs...)
}

// talk is what is said on a socket besides events.
func (c *Config) talk(api *platform.API) wsclient.Protocol {
	talk := api.Talk
	if c.Platform != platform.Custom {
		if talk.KeepAlive.Send != "" {
			talk.KeepAlive.Interval = c.Heartbeat.Interval
		}
		if api.Name == platform.Notifications {
			talk.IdleTimeout = c.Heartbeat.Timeout
		}
		return talk
	}
	s := &c.Session
	for _, one := range s.OnOpen {
		talk.OnOpen = append(talk.OnOpen, wsclient.HandshakeStep{Send: string(one.Send), Expect: pattern(one.Expect)})
	}
	if s.KeepAlive.Send != "" {
		talk.KeepAlive = wsclient.KeepAlive{
			Send: string(s.KeepAlive.Send), Expect: pattern(s.KeepAlive.Expect), Interval: s.KeepAlive.Interval, Unanswered: s.KeepAlive.Unanswered,
		}
	}
	talk.IdleTimeout = s.IdleTimeout
	for reaction, texts := range map[wsclient.ControlAction][]string{
		wsclient.Ignore: s.Ignore, wsclient.Rotate: s.RotateOn, wsclient.Renew: s.RenewOn, wsclient.Throttle: s.ThrottleOn,
	} {
		for _, text := range texts {
			talk.Controls = append(talk.Controls, wsclient.ControlFrame{Match: wsclient.NewPattern(text), Action: reaction})
		}
	}
	// What asks for something goes before what is only ignored.
	slices.SortStableFunc(talk.Controls, func(a, b wsclient.ControlFrame) int { return cmp.Compare(b.Action, a.Action) })
	return talk
}

// pattern is that of an answer; nil where none is expected.
func pattern(text string) *wsclient.Pattern {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return wsclient.NewPattern(text)
}

// revealed are headers as they are sent.
func revealed(headers map[string]configopaque.String) map[string]string {
	all := make(map[string]string, len(headers))
	for name, value := range headers {
		all[name] = string(value)
	}
	return all
}
