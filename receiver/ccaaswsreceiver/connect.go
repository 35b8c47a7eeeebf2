// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gorilla/websocket"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// upstream is the connection setup of a receiver's sessions, with their common settings.
type upstream struct {
	*api.Upstream
	settings wsclient.Settings
}

// newUpstream resolves how the platform is reached. Tokens, limits and the HTTP client
// are shared by the sessions of one receiver.
func (r *wsReceiver) newUpstream(ctx context.Context) (*upstream, error) {
	config := r.config.upstream(r.api.Profile())
	at, err := r.api.Endpoints(config)
	if err != nil {
		return nil, err
	}
	proxy, err := r.config.proxy()
	if err != nil {
		return nil, err
	}
	security, err := r.config.TLS.LoadTLSConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	profile := r.api.Profile()
	usage := &wsclient.Usage{Limit: r.config.Limits.RequestsPerMinute, UsedHeader: profile.UsedHeader, AllowedHeader: profile.AllowedHeader}
	r.client = newClient(proxy, security, usage)
	up, err := r.api.Connect(config, at, &api.Environment{
		Client: r.client, Telemetry: r.telemetry, Logger: r.set.Logger, Observe: r.reconciler.observe(),
	})
	if err != nil {
		return nil, err
	}
	r.quotas = &quotas{requests: usage, others: up.Quotas, logger: r.set.Logger}
	if err := r.quotas.observe(r.telemetry); err != nil {
		return nil, err
	}
	return &upstream{Upstream: up, settings: wsclient.Settings{
		Tokens:       up.Tokens,
		Subprotocols: config.Subprotocols,
		Dialer: &websocket.Dialer{
			NetDialContext:   r.dial,
			Proxy:            proxy,
			TLSClientConfig:  security,
			HandshakeTimeout: requestTimeout,
			ReadBufferSize:   socketBuffer,
		},
		Dials:        wsclient.PerMinute(r.config.Limits.DialsPerMinute),
		Protocol:     r.api.Protocol(config),
		Heartbeat:    config.Heartbeat,
		MaxFrameSize: r.config.MaxFrameSize,
		Backoff: wsclient.Backoff{
			Initial:    r.config.Reconnect.InitialInterval,
			Max:        r.config.Reconnect.MaxInterval,
			Multiplier: r.config.Reconnect.Multiplier,
			Jitter:     r.config.Reconnect.RandomizationFactor,
		},
		Rotation: wsclient.Rotation{MaxAge: r.config.Rotation.MaxAge, Overlap: r.config.Rotation.Overlap},
		Tracer:   metadata.Tracer(r.set.TelemetrySettings),
	}}, nil
}

// session returns the settings of one session.
func (u *upstream) session(number int) wsclient.Settings {
	one := u.settings
	one.Prepare, one.Connection = u.Prepare(number), number
	return one
}

// proxy returns the proxy of requests and sockets.
func (c *Config) proxy() (func(*http.Request) (*url.URL, error), error) {
	if c.ProxyURL == "" {
		return http.ProxyFromEnvironment, nil
	}
	if err := api.ValidateHost(string(c.ProxyURL)); err != nil {
		return nil, fmt.Errorf("proxy_url: %w", err)
	}
	address, err := url.Parse(string(c.ProxyURL))
	if err != nil || address.Host == "" { // the text may hold a password: it is not repeated
		return nil, errors.New("proxy_url: not a URL; give one such as http://proxy.example.com:3128")
	}
	switch address.Scheme {
	case "http", "https", "socks5":
		return http.ProxyURL(address), nil
	default:
		return nil, fmt.Errorf("proxy_url: scheme %q: must be http, https or socks5", address.Scheme)
	}
}

// newClient returns the client of all HTTP requests of a receiver.
func newClient(proxy func(*http.Request) (*url.URL, error), security *tls.Config, usage *wsclient.Usage) *http.Client {
	return &http.Client{
		Transport: &wsclient.RateLimitedTransport{
			Limiter: wsclient.PerMinute(usage.Limit), Usage: usage,
			Next: &http.Transport{
				Proxy:                  proxy,
				TLSClientConfig:        security.Clone(),
				ForceAttemptHTTP2:      true,
				TLSHandshakeTimeout:    requestTimeout,
				IdleConnTimeout:        requestTimeout,
				MaxResponseHeaderBytes: 1 << 20,
				OnProxyConnectResponse: wsclient.ProxyAnswer,
			},
		},
		Timeout: requestTimeout,
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
