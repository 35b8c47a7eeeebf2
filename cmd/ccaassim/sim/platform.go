// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// Paths of the platform's endpoints.
const (
	TokenPath     = "/oauth/token" //nolint:gosec // a path, not a credential
	PreflightPath = "/api/v2/platform/version"
	StreamPath    = "/api/v2/analytics/events/realtime"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+TokenPath, s.token)
	mux.HandleFunc("GET "+PreflightPath, s.preflight)
	mux.HandleFunc("GET "+StreamPath, s.upgrade)
	s.notificationsRoutes(mux)
	s.eventHubRoutes(mux)
	s.connectChatRoutes(mux)
	mux.HandleFunc("GET "+taskRouterPath, s.taskRouterSocket)
	mux.HandleFunc("GET /truth", s.serveTruth)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /trouble", s.serveTrouble)
	mux.HandleFunc("POST /trouble", s.postTrouble)
	mux.HandleFunc("POST /trouble/burst", s.postNow(s.Burst))
	mux.HandleFunc("POST /trouble/campaign", s.postNow(s.Campaign))
	mux.HandleFunc("POST /trouble/reset", s.postNow(s.Reset))
	mux.HandleFunc("POST /trouble/socket-closing", s.postNow(s.AnnounceClosing))
	mux.HandleFunc("POST /trouble/close", s.postNow(func() {
		t := s.trouble.now()
		s.CloseSockets(t.CloseCode, t.CloseReason)
	}))
	mux.HandleFunc("GET /sink", s.serveSink)
	mux.HandleFunc("POST /sink", s.postSink)
	mux.HandleFunc("POST /sink/{path...}", s.postSink)
	return mux
}

// preflight tells which subprotocols the platform speaks.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request) {
	s.tally.note(func(t *tally) { t.requests.Preflights++ })
	if s.fail(w, func(t *Trouble) *Failure { return &t.PreflightFail }) {
		return
	}
	if _, ok := s.authorized(w, r); !ok {
		return
	}
	protocols := append([]string{}, s.config.SupportedProtocols...)
	if s.config.PreflightArray {
		writeJSON(w, http.StatusOK, protocols)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"supportedProtocols": protocols})
}

// upgrade lets a client's socket in, with the first subprotocol it asks for that
// is supported, or what trouble makes of it.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	if s.failUpgrade(w) {
		return
	}
	g, ok := s.authorized(w, r)
	if !ok {
		return
	}
	asked := s.supported(websocket.Subprotocols(r))
	if asked == "" {
		platformError(w, http.StatusBadRequest, "no subprotocol asked for is supported")
		return
	}
	header := http.Header{}
	if answer := s.trouble.now().answer(asked); answer != "" {
		header.Set("Sec-Websocket-Protocol", answer)
	}
	s.accept(w, r, realtimeEvents, header, func(socket *socket) { socket.bear(g) })
}

// failUpgrade counts an upgrade, and fails it if trouble wants that.
func (s *Server) failUpgrade(w http.ResponseWriter) bool {
	s.tally.note(func(t *tally) { t.requests.Upgrades++ })
	return s.fail(w, func(t *Trouble) *Failure { return &t.UpgradeFail })
}

// accept upgrades a request to a socket of an API, and serves that until it ends.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, a api, header http.Header, prepare func(*socket)) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, header)
	if err != nil {
		return // the upgrader has answered
	}
	socket := newSocket(conn, a, time.Now(), s.config.WriteTimeout)
	prepare(socket)
	s.hub.serve(socket)
}

// supported is the first subprotocol asked for that the platform speaks, or empty.
func (s *Server) supported(asked []string) string {
	for _, protocol := range asked {
		if slices.Contains(s.config.SupportedProtocols, protocol) {
			return protocol
		}
	}
	return ""
}

// fail answers with a failure, if trouble has one for this request.
func (s *Server) fail(w http.ResponseWriter, of func(*Trouble) *Failure) bool {
	f := s.trouble.failure(of)
	if f.Status == 0 {
		return false
	}
	s.failWith(w, f)
	return true
}

func (s *Server) failWith(w http.ResponseWriter, f Failure) {
	switch {
	case f.RetryAfter == 0:
	case s.trouble.now().RetryAfterDate:
		w.Header().Set("Retry-After", time.Now().Add(f.RetryAfter+time.Second-1).UTC().Format(http.TimeFormat))
	default:
		w.Header().Set("Retry-After", strconv.FormatInt(int64((f.RetryAfter+time.Second-1)/time.Second), 10))
	}
	platformError(w, f.Status, http.StatusText(f.Status))
}

// authorized answers 401 unless the request bears a good token; it gives what
// stands behind that.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request) (grant, bool) {
	g, ok := s.tokens.holds(r, time.Now())
	if ok {
		return g, true
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	platformError(w, http.StatusUnauthorized, "no bearer token, or it is unknown or expired")
	return grant{}, false
}

func platformError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"status": status, "message": message})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
