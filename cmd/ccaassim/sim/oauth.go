// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"crypto/rand"
	"crypto/subtle"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tokensKept bounds the tokens that hold at a time.
const tokensKept = 100_000

// tokens issues bearer tokens and knows which still hold.
type tokens struct {
	config *Config
	mu     sync.Mutex
	grants map[string]*grant
}

// grant is what stands behind a token.
type grant struct {
	client string
	expiry time.Time

	minute time.Time // the one in which calls were made
	calls  int
}

func newTokens(config *Config) *tokens {
	return &tokens{config: config, grants: map[string]*grant{}}
}

func (t *tokens) issue(client string, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for token, g := range t.grants { // those expired go, so that the map stays small
		if !now.Before(g.expiry) || len(t.grants) >= tokensKept {
			delete(t.grants, token)
		}
	}
	token := rand.Text()
	t.grants[token] = &grant{client: client, expiry: now.Add(t.config.TokenTTL)}
	return token
}

// find is what stands behind a token that was issued and has not expired.
func (t *tokens) find(token string, now time.Time) (grant, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.grants[token]
	if !ok || !now.Before(g.expiry) {
		return grant{}, false
	}
	return *g, true
}

// holds is what stands behind the token that a request bears.
func (t *tokens) holds(r *http.Request, now time.Time) (grant, bool) {
	token, ok := bearer(r)
	if !ok {
		return grant{}, false
	}
	return t.find(token, now)
}

func bearer(r *http.Request) (string, bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// call counts a call of a token against a limit for each minute. Past it, it says
// how long to wait.
func (t *tokens) call(token string, limit int, now time.Time) (wait time.Duration) {
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

// knows is the client of a request, and whether it is let in by its credentials,
// Basic or in the form.
func (t *tokens) knows(r *http.Request) (id string, ok bool) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == "" {
		return "", false
	}
	return id, matches(t.config.ClientID, t.config.ClientSecret, id, secret)
}

// matches compares credentials with those wanted; an empty id wanted matches any.
func matches(wanted, wantedSecret, id, secret string) bool {
	return wanted == "" || id == wanted && subtle.ConstantTimeCompare([]byte(secret), []byte(wantedSecret)) == 1
}

// token is POST /oauth/token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	client, ok := s.tokenRequest(w, r)
	if !ok {
		return
	}
	if grant := r.PostForm.Get("grant_type"); grant != "client_credentials" {
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type is "+grant+", want client_credentials")
		return
	}
	if client == "" {
		unknownClient(w)
		return
	}
	s.grant(w, r, client, nil)
}

// tokenRequest reads a request for a token; the client is empty when it is not let in.
func (s *Server) tokenRequest(w http.ResponseWriter, r *http.Request) (client string, ok bool) {
	s.tally.note(func(t *tally) { t.requests.Tokens++ })
	if s.fail(w, func(t *Trouble) *Failure { return &t.TokenFail }) {
		return "", false
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_request", err.Error())
		return "", false
	}
	if client, ok = s.tokens.knows(r); !ok {
		client = ""
	}
	return client, true
}

// grant answers with a token, and what else an API adds.
func (s *Server) grant(w http.ResponseWriter, r *http.Request, client string, more map[string]any) {
	scope := r.PostForm.Get("scope")
	if len(s.config.GrantedScopes) > 0 {
		scope = strings.Join(s.config.GrantedScopes, " ")
	}
	s.tally.note(func(t *tally) { t.requests.TokensIssued++ })
	answer := map[string]any{
		"access_token": s.tokens.issue(client, time.Now()),
		"token_type":   "bearer",
		"expires_in":   max(1, int64(s.config.TokenTTL/time.Second)),
		"scope":        scope,
	}
	maps.Copy(answer, more)
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, answer)
}

func unknownClient(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="ccaassim"`)
	oauthError(w, http.StatusUnauthorized, "invalid_client", "unknown client or wrong secret")
}

func oauthError(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}
