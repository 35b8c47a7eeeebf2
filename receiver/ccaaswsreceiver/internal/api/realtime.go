// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// realtimeEvents is the contract of realtime events, the same on every platform.
const (
	realtimeEvents = "realtime_events"
	streamPath     = "/api/v2/analytics/events/realtime"
)

// PreflightConfig configures the request before the upgrade.
type PreflightConfig struct {
	Enabled bool   `mapstructure:"enabled"`
	Path    string `mapstructure:"path"`
}

// realtime is the realtime events of a platform.
type realtime struct{ profile Profile }

func realtimeOf(platform, subprotocol string) realtime {
	return realtime{profile: Profile{
		Platform:        platform,
		API:             realtimeEvents,
		Subprotocol:     subprotocol,
		Scopes:          []string{"analytics:realtime:view", "digital:engagement:metrics:read"},
		Fields:          jsonevent.DefaultFields(),
		PayloadSize:     SizeOfEvent,
		Heartbeat:       wsclient.Heartbeat{Interval: 15 * time.Second, Timeout: 35 * time.Second},
		Backoff:         wsclient.Backoff{Initial: time.Second, Max: time.Minute},
		AbnormalReasons: abnormalReasons(),
	}}
}

func (a realtime) Profile() *Profile { return &a.profile }

func (a realtime) Validate(c *Config) error {
	rest := *c
	rest.Session.InitialState = OpenChannelsConfig{} // which the contract does not have
	return errors.Join(rejectSession(&a.profile, &rest), c.Session.InitialState.validate())
}

func (a realtime) Endpoints(c *Config) (*Endpoints, error) {
	at, err := a.profile.endpoints(c, streamPath)
	if err != nil {
		return nil, err
	}
	if at.Preflight, err = c.preflight(at.API); err != nil {
		return nil, err
	}
	return at.complete(c, &a.profile)
}

// preflight returns the address of the pre-flight request; nil: none is sent.
func (c *Config) preflight(root *url.URL) (*url.URL, error) {
	if !c.Preflight.Enabled {
		return nil, nil //nolint:nilnil // documented
	}
	at, err := root.Parse(c.Preflight.Path)
	if err != nil {
		return nil, fmt.Errorf("preflight::path: %w", err)
	}
	if at.Host != root.Host {
		return nil, fmt.Errorf("preflight::path: %q: must be a path, not an address", c.Preflight.Path)
	}
	return at, nil
}

func (a realtime) Protocol(*Config) wsclient.Protocol { return wsclient.Protocol{} }

func (a realtime) Connect(c *Config, at *Endpoints, env *Environment) (*Upstream, error) {
	socket := &wsclient.StaticEndpoint{Client: env.Client, Preflight: at.Preflight, Socket: at.Socket, Subprotocols: c.Subprotocols}
	return newUpstream(c, env.tokens(c, wsclient.StaticURL(at.Token)), socket.Prepare).listing(c, at), nil
}

// Diagnose sends the pre-flight request.
func (a realtime) Diagnose(ctx context.Context, d *Diagnosis, up *Upstream) { d.preflight(ctx, up) }
