// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package eventhub discovers the digital event hub of a NICE CXone tenant: the token
// endpoint, the tenant and user of a token, and the address of the hub.
package eventhub

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// Hub is a tenant's event hub.
type Hub struct {
	Client *http.Client
	// Discovery is the root of the platform's discovery documents.
	Discovery *url.URL
	// Socket is the address of the hub unless its host names another; nil: the platform
	// names it.
	Socket *url.URL
	// Tenant and User select the hub; empty: those of the token.
	Tenant, User string
	// Check rejects addresses that may not get credentials.
	Check func(*url.URL) error
	// Refused reports an address of the hub that Check rejects; may be nil.
	Refused func(error)

	api atomic.Pointer[url.URL]
}

// API returns the root of the tenant's API; nil: it is not known before Prepare.
func (h *Hub) API() *url.URL { return h.api.Load() }

// TokenURL requests the token endpoint: before each token, since it may change.
func (h *Hub) TokenURL(ctx context.Context) (*url.URL, *wsclient.Failure) {
	call := &wsclient.Call{What: "discovery", Method: http.MethodGet, URL: h.Discovery.JoinPath("/.well-known/openid-configuration")}
	body, failure := wsclient.Do(ctx, h.Client, call)
	if failure != nil {
		return nil, failure
	}
	var answer struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.TokenEndpoint == "" {
		return nil, call.BadAnswerTo("no token_endpoint in the answer")
	}
	at, err := url.Parse(answer.TokenEndpoint)
	if err != nil { // which repeats it
		return nil, call.BadAnswerTo("token_endpoint: not an address")
	}
	if err = h.Check(at); err != nil {
		return nil, call.BadAnswerTo("token_endpoint: %w", err)
	}
	return at, nil
}

// Prepare returns the address of the tenant's hub.
func (h *Hub) Prepare(ctx context.Context, access wsclient.Access, _ bool) (*wsclient.Route, *wsclient.Failure) {
	who := identify(access)
	tenant, user := cmp.Or(h.Tenant, who.TenantID), cmp.Or(h.User, who.user())
	switch {
	case tenant == "":
		return nil, wsclient.NewFailure(wsclient.BadAnswer, true, errors.New("event hub: neither the ID token nor the token names a tenant; set event_hub::tenant_id"))
	case user == "":
		return nil, wsclient.NewFailure(wsclient.BadAnswer, true, errors.New("event hub: neither the ID token nor the token names a user; set event_hub::user_id"))
	}
	at, failure := h.find(ctx, access, tenant)
	if failure != nil {
		return nil, failure
	}
	socket := *at
	query := socket.Query()
	query.Set("tenantId", tenant)
	query.Set("userId", user)
	socket.RawQuery = query.Encode()
	return &wsclient.Route{Socket: &socket}, nil
}

// hostName matches the name of a host.
var hostName = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// find returns the address of a tenant's hub: the one that its API names, else the
// one that is configured or derived from the tenant's area.
func (h *Hub) find(ctx context.Context, access wsclient.Access, tenant string) (*url.URL, *wsclient.Failure) {
	if h.Socket != nil {
		scheme := "https"
		if h.Socket.Scheme == "ws" {
			scheme = "http"
		}
		root := &url.URL{Scheme: scheme, Host: h.Socket.Host}
		h.api.Store(root)
		named := h.named(ctx, access, root, func(host string) bool { return strings.EqualFold(host, h.Socket.Hostname()) })
		return cmp.Or(named, h.Socket), nil
	}
	at := h.Discovery.JoinPath("/.well-known/cxone-configuration")
	at.RawQuery = url.Values{"tenantId": {tenant}}.Encode()
	call := &wsclient.Call{What: "discovery", Method: http.MethodGet, URL: at, Token: access.Token}
	body, failure := wsclient.Do(ctx, h.Client, call)
	if failure != nil {
		return nil, failure
	}
	var answer struct {
		Area   string `json:"area"`
		Domain string `json:"domain"`
	}
	if json.Unmarshal(body, &answer) != nil || !hostName.MatchString(answer.Area) || !hostName.MatchString(answer.Domain) {
		return nil, call.BadAnswerTo("no area and domain in the answer")
	}
	area, domain := strings.ToLower(answer.Area), strings.ToLower(answer.Domain)
	derived := &url.URL{Scheme: "wss", Host: fmt.Sprintf("event-hub-de-%s.%s", area, domain), Path: "/"}
	if err := h.Check(derived); err != nil {
		return nil, call.BadAnswerTo("domain: %w", err)
	}
	root := &url.URL{Scheme: "https", Host: fmt.Sprintf("api-de-%s.%s", area, domain)}
	if h.Check(root) == nil {
		h.api.Store(root)
	}
	named := h.named(ctx, access, root,
		func(string) bool { return true })
	return cmp.Or(named, derived), nil
}

// addressTimeout bounds the request for the hub's address, which has a fallback.
const addressTimeout = 5 * time.Second

// named returns the address that a tenant's API names for its hub; nil where it names
// none that may have the token. Not every tenant's API has the request.
func (h *Hub) named(ctx context.Context, access wsclient.Access, api *url.URL, trusted func(host string) bool) *url.URL {
	if h.Check(api) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, addressTimeout)
	defer cancel()
	body, failure := wsclient.Do(ctx, h.Client, &wsclient.Call{
		What: "event hub address", Method: http.MethodGet, URL: api.JoinPath("/dfo/3.0/event-hub-url"), Token: access.Token,
	})
	if failure != nil {
		return nil
	}
	var answer struct {
		WebsocketURL string `json:"websocketUrl"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	at, err := url.Parse(answer.WebsocketURL)
	if err != nil || at.Scheme != "wss" && at.Scheme != "ws" || !trusted(at.Hostname()) {
		return nil
	}
	if err := h.Check(at); err != nil {
		if h.Refused != nil {
			h.Refused(err)
		}
		return nil
	}
	if at.Path == "" {
		at.Path = "/"
	}
	return at
}

// claims are those of a token. It is received from the token endpoint over TLS, so its
// signature need not be verified (OpenID Connect Core 3.1.3.7).
type claims struct {
	TenantID string `json:"tenantId"`
	UserID   string `json:"userId"`
	Subject  string `json:"sub"`
}

func (c *claims) user() string {
	return cmp.Or(c.UserID, strings.TrimPrefix(c.Subject, "user:"))
}

// identify returns the claims of the ID token, else those of the token.
func identify(access wsclient.Access) claims {
	var of claims
	for _, token := range []string{access.Token, access.Identity} {
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			continue
		}
		if text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "=")); err == nil {
			_ = json.Unmarshal(text, &of) // an invalid token has no claims
		}
	}
	return of
}
