// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Accept upgrades a request to a socket of an API, and serves that until it ends.
func (h *Host) Accept(w http.ResponseWriter, r *http.Request, of truth.API, header http.Header, prepare func(*Socket)) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, header)
	if err != nil {
		return // the upgrader has responded
	}
	s := newSocket(conn, of, time.Now(), h.Config.WriteTimeout)
	prepare(s)
	h.Hub.serve(s)
}

// FailUpgrade counts an upgrade, and fails it if trouble requires it.
func (h *Host) FailUpgrade(w http.ResponseWriter) bool {
	h.Recorder.Requests(func(t *truth.RequestTruth) { t.Upgrades++ })
	return h.Fail(w, func(t *fault.Trouble) *fault.Failure { return &t.UpgradeFail })
}

// Fail responds with a failure, if trouble has one for this request.
func (h *Host) Fail(w http.ResponseWriter, of func(*fault.Trouble) *fault.Failure) bool {
	f := h.Trouble.Failure(of)
	if f.Status == 0 {
		return false
	}
	h.FailWith(w, f)
	return true
}

// FailWith responds with a failure.
func (h *Host) FailWith(w http.ResponseWriter, f fault.Failure) {
	switch {
	case f.RetryAfter == 0:
	case h.Trouble.Now().RetryAfterDate:
		w.Header().Set("Retry-After", time.Now().Add(f.RetryAfter+time.Second-1).UTC().Format(http.TimeFormat))
	default:
		w.Header().Set("Retry-After", strconv.FormatInt(int64((f.RetryAfter+time.Second-1)/time.Second), 10))
	}
	Error(w, f.Status, http.StatusText(f.Status))
}

// Authorized returns the grant of the request's bearer token. Without a valid token it
// responds with 401.
func (h *Host) Authorized(w http.ResponseWriter, r *http.Request) (Grant, bool) {
	if g, ok := h.Tokens.ofRequest(r, time.Now()); ok {
		return g, true
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	Error(w, http.StatusUnauthorized, "no bearer token, or it is unknown or expired")
	return Grant{}, false
}

// TokenInURL is Authorized for a socket whose URL may carry the token.
func (h *Host) TokenInURL(w http.ResponseWriter, r *http.Request) (Grant, bool) {
	if g, ok := h.Tokens.Find(r.URL.Query().Get("token"), time.Now()); ok {
		return g, true
	}
	return h.Authorized(w, r)
}

// Error responds with an error as the platforms do.
func Error(w http.ResponseWriter, status int, message string) {
	WriteJSON(w, status, map[string]any{"status": status, "message": message})
}

// WriteJSON responds with a JSON document.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
