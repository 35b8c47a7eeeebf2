// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/conversation"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/eventhub"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/notifications"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/platform"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// way is how the sessions of a receiver come to their sockets.
type way struct {
	sessions int
	check    func(*url.URL) error // refuses addresses that may not get credentials
	settings func(number int) wsclient.Settings
	decode   decode                // what the connections have in common; nil: each has its own
	watch    func(context.Context) // runs beside them; nil: nothing
	idle     func(number int) bool // whether a session has nothing to connect for; nil: all have
}

// way works out how the platform is reached. Tokens, limits and requests are the
// receiver's own, and shared by its sessions alone.
func (r *wsReceiver) way(ctx context.Context) (*way, error) {
	at, err := r.config.target(&r.profile)
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
	r.client = newClient(proxy, security, r.config.Limits.RequestsPerMinute)
	all := r.settings(&websocket.Dialer{
		Proxy:            proxy,
		TLSClientConfig:  security,
		HandshakeTimeout: requestTimeout,
		ReadBufferSize:   socketBuffer,
	})
	w := &way{sessions: r.config.Connections, check: r.config.allowedHosts(&r.profile, at).check}
	switch r.api.Name {
	case platform.Notifications:
		err = r.notifications(w, at, &all) //nolint:contextcheck // tokens are told of outside of any call
	case platform.EventHub:
		r.eventHub(w, at, &all) //nolint:contextcheck // tokens are told of outside of any call
	default:
		r.realtimeEvents(w, at, &all) //nolint:contextcheck // tokens are told of outside of any call
	}
	return w, err
}

// settings are those that all sessions have in common.
func (r *wsReceiver) settings(dialer *websocket.Dialer) wsclient.Settings {
	set := wsclient.Settings{
		Subprotocol:  r.config.Subprotocol,
		Dialer:       dialer,
		Dials:        wsclient.PerMinute(r.config.Limits.DialsPerMinute),
		Protocol:     r.config.talk(&r.api),
		Heartbeat:    wsclient.Heartbeat(r.config.Heartbeat),
		MaxFrameSize: r.config.MaxFrameSize,
		Backoff: wsclient.Backoff{
			Initial:    r.config.Reconnect.InitialInterval,
			Max:        r.config.Reconnect.MaxInterval,
			Multiplier: r.config.Reconnect.Multiplier,
			Jitter:     r.config.Reconnect.RandomizationFactor,
		},
		Rotation: wsclient.Rotation{MaxAge: r.config.Rotation.MaxAge, Overlap: r.config.Rotation.Overlap},
	}
	if set.Subprotocol == autoSubprotocol {
		set.Subprotocol = r.api.Subprotocol
	}
	return set
}

// realtimeEvents goes straight to the socket, or to where an answer says it is.
func (r *wsReceiver) realtimeEvents(w *way, at *target, all *wsclient.Settings) {
	if at.token != nil {
		all.Tokens = r.tokens(wsclient.StaticURL(at.token))
	}
	direct := &wsclient.StaticEndpoint{
		Client: r.client, Preflight: at.preflight, Socket: at.socket, Subprotocol: all.Subprotocol,
		Headers: revealed(r.config.Session.Headers), Private: r.config.Platform == platform.Custom,
	}
	all.Prepare = direct.Prepare
	if at.urlFrom != nil {
		from := &r.config.Session.URLFrom
		all.Prepare = (&wsclient.DiscoveredEndpoint{
			Client: r.client, Method: from.Method, URL: at.urlFrom, Headers: revealed(from.Headers), Body: string(from.Body),
			Path: from.Path, Expires: from.Expires, Upgrade: revealed(r.config.Session.Headers), Check: w.check,
		}).Prepare
	}
	w.settings = func(int) wsclient.Settings { return *all }
}

// eventHub registers at the hub of a tenant.
func (r *wsReceiver) eventHub(w *way, at *target, all *wsclient.Settings) {
	hub := &eventhub.Hub{
		Client: r.client, Discovery: at.api, Socket: at.socket, Check: w.check,
		Tenant: r.config.EventHub.TenantID, User: r.config.EventHub.UserID,
		Refused: func(err error) {
			r.set.Logger.Warn("The address that the platform names for the event hub is not used, but the one derived from the tenant's area", zap.Error(err))
		},
	}
	tokenURL := hub.TokenURL
	if at.token != nil {
		tokenURL = wsclient.StaticURL(at.token)
	}
	all.Tokens, all.Prepare = r.tokens(tokenURL), hub.Prepare
	w.settings = func(int) wsclient.Settings { return *all }
}

// notifications spreads topics over channels, whose snapshots one tracker knows.
func (r *wsReceiver) notifications(w *way, at *target, all *wsclient.Settings) error {
	all.Tokens = r.tokens(wsclient.StaticURL(at.token))
	channels := notifications.New(notifications.Settings{
		Client: r.client, API: at.api, Topics: r.config.Notifications.Topics, Channels: r.config.Connections,
		Overlap: r.config.Rotation.Overlap, Check: w.check,
		Rejected: func(topic, reason string, missing []string) {
			r.set.Logger.Warn("The platform does not let us subscribe to a topic; it tells nothing of it",
				zap.String("topic", wsclient.Truncate(topic)), zap.String("reason", wsclient.Truncate(reason)), zap.Strings("missing_permissions", wsclient.TruncateList(missing)))
		},
		LeftOut: func(topics int) {
			r.set.Logger.Error("There are more topics than the platform's channels hold; those left out tell nothing",
				zap.Int("left_out", topics), zap.Int("channels", notifications.MaxCarrying), zap.Int("topics_per_channel", notifications.MaxTopics))
		},
	})
	w.sessions, w.idle = channels.Sessions(), channels.Idle
	w.settings = func(number int) wsclient.Settings {
		one := *all
		one.Prepare = channels.Prepare(number)
		return one
	}
	var mutex sync.Mutex
	tracker := conversation.NewTracker(time.Now().Add(-time.Second)) // clocks differ a little
	w.decode = func(text []byte, at time.Time, to jsonevent.Sink) {
		mutex.Lock()
		defer mutex.Unlock()
		tracker.Decode(text, at, to)
	}
	w.watch = func(ctx context.Context) {
		channels.Watch(ctx, r.config.Notifications.RefreshInterval, all.Tokens, func(failure *wsclient.Failure) {
			r.set.Logger.Warn("Cannot look for new queues; those that are known go on", zap.Error(failure))
		})
	}
	return r.watchTopics(channels)
}

func (r *wsReceiver) watchTopics(channels *notifications.Channels) error {
	err := r.telemetry.RegisterCcaasWsTopicsCallback(func(_ context.Context, o metric.Int64Observer) error {
		all, _ := channels.Topics()
		o.Observe(int64(all))
		return nil
	})
	if err != nil {
		return err
	}
	return r.telemetry.RegisterCcaasWsRejectedTopicsCallback(func(_ context.Context, o metric.Int64Observer) error {
		_, rejected := channels.Topics()
		o.Observe(int64(rejected))
		return nil
	})
}

// tokens makes the receiver's source of tokens.
func (r *wsReceiver) tokens(at func(context.Context) (*url.URL, *wsclient.Failure)) *wsclient.Tokens {
	o := &r.config.OAuth2
	if o.ClientID == "" {
		return nil
	}
	var expires atomic.Int64 // unix ns; 0: never, or no token yet
	err := r.telemetry.RegisterCcaasWsTokenRemainingCallback(func(_ context.Context, to metric.Float64Observer) error {
		if until := expires.Load(); until != 0 {
			to.Observe(max(time.Until(time.Unix(0, until)).Seconds(), 0))
		}
		return nil
	})
	if err != nil {
		r.set.Logger.Warn("Cannot tell how long the token is valid", zap.Error(err))
	}
	return wsclient.NewTokens(wsclient.Credentials{
		ClientID: o.ClientID, ClientSecret: string(o.ClientSecret),
		Username: o.Username, Password: string(o.Password),
		TokenURL: at, Scopes: o.Scopes, Strict: o.StrictScopes,
	}, r.client, func(grant wsclient.Grant) {
		r.telemetry.CcaasWsTokenRefreshes.Add(context.Background(), 1)
		expires.Store(0)
		if !grant.Expires.IsZero() {
			expires.Store(grant.Expires.UnixNano())
		}
		if len(grant.ExcessScopes) > 0 {
			r.set.Logger.Warn("The token may do more than it was asked for; whoever gets hold of it, or of the client's secret, may do that too, "+
				"and requests of other users of this client count against the same quota. Use a dedicated OAuth client with these scopes taken away; "+
				"oauth2.strict_scopes: true refuses such tokens", zap.Strings("wider_scopes", wsclient.TruncateList(grant.ExcessScopes)), zap.Strings("asked_for", o.Scopes))
		}
	})
}
