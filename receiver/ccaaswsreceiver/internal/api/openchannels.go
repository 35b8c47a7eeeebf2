// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// sessionsPerApply is how many channels of an answer are taken at once: frames wait
// meanwhile.
const sessionsPerApply = 500

// OpenChannelsConfig configures a request whose response lists the channels that are open.
type OpenChannelsConfig struct {
	Method  string                         `mapstructure:"method"`
	URL     string                         `mapstructure:"url"`
	Headers map[string]configopaque.String `mapstructure:"headers"`
	Body    configopaque.String            `mapstructure:"body"`
	// Path is that of the list in the response; empty: the response is the list.
	Path string `mapstructure:"path"`
	// Total is the path of the number of open channels; empty: the response has none.
	Total string `mapstructure:"total"`
	// Fields are paths in an entry of the list.
	Fields OpenChannelFields `mapstructure:"fields"`
}

// OpenChannelFields are the paths of the fields of an open channel.
type OpenChannelFields struct {
	ChannelID   string `mapstructure:"channel_id"`
	ChannelType string `mapstructure:"channel_type"`
	UserID      string `mapstructure:"user_id"`
	TenantID    string `mapstructure:"tenant_id"`
	Region      string `mapstructure:"region"`
	// Timestamp is when the channel was opened.
	Timestamp string `mapstructure:"timestamp"`
}

// DefaultOpenChannels has the names that events have.
func DefaultOpenChannels() OpenChannelsConfig {
	return OpenChannelsConfig{Method: http.MethodGet, Fields: OpenChannelFields{
		ChannelID: "channelId", ChannelType: "channelType", UserID: "userId", TenantID: "tenantId", Region: "region", Timestamp: "timestamp",
	}}
}

// isSet reports whether there is a request, or a part of one.
func (o *OpenChannelsConfig) isSet() bool {
	return o.URL != "" || o.Path != "" || o.Total != "" || o.Body != "" || len(o.Headers) > 0
}

func (o *OpenChannelsConfig) validate() error {
	if !o.isSet() {
		return nil
	}
	return errors.Join(
		Need(o.URL != "", "session::initial_state::url", o.URL, "an address, or a path on the host of endpoint"),
		Need(o.Method == http.MethodGet || o.Method == http.MethodPost, "session::initial_state::method", o.Method, "GET or POST"),
		Need(o.Method == http.MethodPost || o.Body == "", "session::initial_state::body", "…", "left out with method GET"),
		Need(o.Fields.ChannelID != "", "session::initial_state::fields::channel_id", o.Fields.ChannelID, "the path of the channel in an entry of the list"),
	)
}

// openChannels asks a configured address for the channels that are open.
type openChannels struct {
	at     *url.URL
	config *OpenChannelsConfig
	list   history.List
}

// listing adds the configured request for open channels.
func (u *Upstream) listing(c *Config, at *Endpoints) *Upstream {
	if at.OpenChannels == nil {
		return u
	}
	o := &c.Session.InitialState
	f := &o.Fields
	channels := &openChannels{at: at.OpenChannels, config: o, list: history.List{
		Path: o.Path, Total: o.Total, Channel: f.ChannelID, ChannelType: f.ChannelType, User: f.UserID,
		Tenant: f.TenantID, Region: f.Region, Start: f.Timestamp,
	}}
	u.History = &History{Present: channels.present}
	return u
}

func (o *openChannels) present(ctx context.Context, ask Ask, apply Apply) (unlisted int64, failure *wsclient.Failure) {
	call := &wsclient.Call{
		What: "session::initial_state", Method: o.config.Method, URL: o.at, Header: http.Header{},
		Permission: "access to " + o.config.Method + " " + o.at.Host + o.at.Path,
	}
	for name, value := range o.config.Headers {
		call.Header.Set(name, string(value))
	}
	if o.config.Body != "" {
		call.Body = []byte(o.config.Body)
	}
	body, failure := ask(ctx, call)
	if failure != nil {
		return 0, failure
	}
	found, err := o.list.Decode(body)
	if err != nil {
		return 0, call.BadAnswerTo("%w; check session::initial_state", err)
	}
	applySessions(found.Sessions, apply)
	return found.Unlisted, nil
}

// applySessions takes channels that are open, by their own ids. A start in the future is
// none.
func applySessions(sessions []reconcile.Session, apply Apply) {
	latest := time.Now().Add(clockMargin).UnixNano()
	for some := range slices.Chunk(sessions, sessionsPerApply) {
		apply(func(_ history.Match, take func(*reconcile.Session)) {
			for i := range some {
				if some[i].Start > latest {
					some[i].Start = 0
				}
				take(&some[i])
			}
		})
	}
}
