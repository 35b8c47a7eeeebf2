// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/rand"
	"crypto/subtle"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// tokensKept bounds the tokens that are valid at a time.
const tokensKept = 100_000

// Tokens issues bearer tokens and knows which are valid.
type Tokens struct {
	config *config.Config
	mu     sync.Mutex
	grants map[string]*Grant
}

// Grant is whom a token was issued to, and until when it is valid.
type Grant struct {
	Client string
	Expiry time.Time

	minute time.Time // in which the calls were made
	calls  int
}

// NewTokens makes an issuer that accepts the configured client.
func NewTokens(config *config.Config) *Tokens {
	return &Tokens{config: config, grants: map[string]*Grant{}}
}

// Issue issues a token to a client.
func (t *Tokens) Issue(client string, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for token, g := range t.grants { // evicts the expired ones, so that the map stays small
		if !now.Before(g.Expiry) || len(t.grants) >= tokensKept {
			delete(t.grants, token)
		}
	}
	token := rand.Text()
	t.grants[token] = &Grant{Client: client, Expiry: now.Add(t.config.TokenTTL)}
	return token
}

// Find returns the grant of a token that was issued and has not expired.
func (t *Tokens) Find(token string, now time.Time) (Grant, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.grants[token]
	if !ok || !now.Before(g.Expiry) {
		return Grant{}, false
	}
	return *g, true
}

// ofRequest returns the grant of a request's bearer token.
func (t *Tokens) ofRequest(r *http.Request, now time.Time) (Grant, bool) {
	token, ok := Bearer(r)
	if !ok {
		return Grant{}, false
	}
	return t.Find(token, now)
}

// Bearer is the bearer token of a request.
func Bearer(r *http.Request) (string, bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// Call counts a call of a token against a limit per minute. Beyond it, it returns
// the time to wait.
func (t *Tokens) Call(token string, limit int, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.grants[token]
	if !ok || limit == 0 {
		return 0
	}
	if now.Sub(g.minute) >= time.Minute {
		g.minute, g.calls = now, 0
	}
	if g.calls++; g.calls > limit {
		return g.minute.Add(time.Minute).Sub(now)
	}
	return 0
}

// Calls is how many calls a token has made in the present minute, and the time to its end.
func (t *Tokens) Calls(token string, now time.Time) (calls int, reset time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.grants[token]
	if !ok {
		return 0, 0
	}
	return g.calls, max(0, g.minute.Add(time.Minute).Sub(now))
}

// client is the client id of a request, and whether its credentials are right; they
// are Basic or in the form.
func (t *Tokens) client(r *http.Request) (id string, ok bool) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == "" {
		return "", false
	}
	return id, Matches(t.config.ClientID, t.config.ClientSecret, id, secret)
}

// Matches compares credentials with those wanted; an empty wanted id matches any.
func Matches(wanted, wantedSecret, id, secret string) bool {
	return wanted == "" || id == wanted && subtle.ConstantTimeCompare([]byte(secret), []byte(wantedSecret)) == 1
}

// TokenRequest reads a token request; the client is empty when its credentials are wrong.
func (h *Host) TokenRequest(w http.ResponseWriter, r *http.Request) (client string, ok bool) {
	h.Recorder.Requests(func(t *truth.RequestTruth) { t.Tokens++ })
	if h.Fail(w, func(t *fault.Trouble) *fault.Failure { return &t.TokenFail }) {
		return "", false
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		OAuthError(w, http.StatusBadRequest, "invalid_request", err.Error())
		return "", false
	}
	if client, ok = h.Tokens.client(r); !ok {
		client = ""
	}
	return client, true
}

// Grant responds with a token, and with the fields that an API adds.
func (h *Host) Grant(w http.ResponseWriter, r *http.Request, client string, more map[string]any) {
	scope := r.PostForm.Get("scope")
	if len(h.Config.GrantedScopes) > 0 {
		scope = strings.Join(h.Config.GrantedScopes, " ")
	}
	if scopes := h.Trouble.Now().AnswerScopes; len(scopes) > 0 {
		scope = strings.Join(scopes, " ")
	}
	h.Recorder.Requests(func(t *truth.RequestTruth) { t.TokensIssued++ })
	response := map[string]any{
		"access_token": h.Tokens.Issue(client, time.Now()),
		"token_type":   "bearer",
		"expires_in":   max(1, int64(h.Config.TokenTTL/time.Second)),
		"scope":        scope,
	}
	maps.Copy(response, more)
	w.Header().Set("Cache-Control", "no-store")
	WriteJSON(w, http.StatusOK, response)
}

// UnknownClient responds to wrong credentials.
func UnknownClient(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="ccaassim"`)
	OAuthError(w, http.StatusUnauthorized, "invalid_client", "unknown client or wrong secret")
}

// OAuthError responds with an error of RFC 6749, section 5.2.
func OAuthError(w http.ResponseWriter, status int, code, description string) {
	WriteJSON(w, status, map[string]string{"error": code, "error_description": description})
}
