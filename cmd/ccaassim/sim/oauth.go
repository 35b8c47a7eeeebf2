// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tokens issues bearer tokens and knows which still hold.
type tokens struct {
	config *Config
	mu     sync.Mutex
	expiry map[string]time.Time
}

func newTokens(config *Config) *tokens {
	return &tokens{config: config, expiry: map[string]time.Time{}}
}

func (t *tokens) issue(now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for token, expiry := range t.expiry { // those expired go, so that the map stays small
		if !now.Before(expiry) {
			delete(t.expiry, token)
		}
	}
	token := rand.Text()
	t.expiry[token] = now.Add(t.config.TokenTTL)
	return token
}

// holds tells whether a request bears a token that was issued and has not
// expired, and when it will.
func (t *tokens) holds(r *http.Request, now time.Time) (expiry time.Time, ok bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return time.Time{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	expiry, ok = t.expiry[token]
	return expiry, ok && now.Before(expiry)
}

// knows tells whether client credentials, Basic or in the form, are let in.
func (t *tokens) knows(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == "" {
		return false
	}
	return t.config.ClientID == "" ||
		id == t.config.ClientID && subtle.ConstantTimeCompare([]byte(secret), []byte(t.config.ClientSecret)) == 1
}

// token is POST /oauth/token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.tally.note(func(t *tally) { t.requests.Tokens++ })
	if s.fail(w, func(t *Trouble) *Failure { return &t.TokenFail }) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	if grant := r.PostForm.Get("grant_type"); grant != "client_credentials" {
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type is "+grant+", want client_credentials")
		return
	}
	if !s.tokens.knows(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="ccaassim"`)
		oauthError(w, http.StatusUnauthorized, "invalid_client", "unknown client or wrong secret")
		return
	}
	scope := r.PostForm.Get("scope")
	if len(s.config.GrantedScopes) > 0 {
		scope = strings.Join(s.config.GrantedScopes, " ")
	}
	s.tally.note(func(t *tally) { t.requests.TokensIssued++ })
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": s.tokens.issue(time.Now()),
		"token_type":   "bearer",
		"expires_in":   max(1, int64(s.config.TokenTTL/time.Second)),
		"scope":        scope,
	})
}

func oauthError(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}
