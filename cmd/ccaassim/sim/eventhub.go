// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Paths of NICE CXone.
const (
	OpenIDConfigurationPath = "/.well-known/openid-configuration"
	CXoneConfigurationPath  = "/.well-known/cxone-configuration"
	CXoneTokenPath          = "/auth/token" //nolint:gosec // a path, not a credential
)

func (s *Server) eventHubRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+OpenIDConfigurationPath, s.openIDConfiguration)
	mux.HandleFunc("GET "+CXoneConfigurationPath, s.cxoneConfiguration)
	mux.HandleFunc("POST "+CXoneTokenPath, s.cxoneToken)
	mux.HandleFunc("GET /{$}", s.eventHubSocket)
}

// configuration counts a request for a discovery document, and fails it if trouble
// wants that.
func (s *Server) configuration(w http.ResponseWriter) (ok bool) {
	s.tally.note(func(t *tally) { t.requests.Configurations++ })
	return !s.fail(w, func(t *Trouble) *Failure { return &t.ConfigurationFail })
}

func (s *Server) openIDConfiguration(w http.ResponseWriter, _ *http.Request) {
	if !s.configuration(w) {
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                s.advertised("http"),
		"token_endpoint":        s.advertised("http") + CXoneTokenPath,
		"grant_types_supported": []string{"password", "client_credentials"},
	})
}

func (s *Server) cxoneConfiguration(w http.ResponseWriter, r *http.Request) {
	if !s.configuration(w) {
		return
	}
	tenant := r.URL.Query().Get("tenantId")
	if tenant == "" {
		platformError(w, http.StatusBadRequest, "tenantId is missing")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"tenantId":           tenant,
		"auth_endpoint":      s.advertised("http"),
		"api_endpoint":       s.advertised("http"),
		"area":               "na1",
		"cluster":            "b2",
		"domain":             s.authority(),
		"event_hub_endpoint": s.advertised("ws"),
	})
}

// cxoneToken is POST /auth/token: the password grant with an access key, or client
// credentials.
func (s *Server) cxoneToken(w http.ResponseWriter, r *http.Request) {
	client, ok := s.tokenRequest(w, r)
	if !ok {
		return
	}
	switch grant := r.PostForm.Get("grant_type"); {
	case grant != "password" && grant != "client_credentials":
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type is "+grant+", want password or client_credentials")
	case client == "":
		unknownClient(w)
	case grant == "password" && !s.knowsAccessKey(r):
		oauthError(w, http.StatusBadRequest, "invalid_grant", "unknown access key or wrong secret")
	default:
		s.grant(w, r, client, map[string]any{"id_token": s.idToken(client, time.Now())})
	}
}

func (s *Server) knowsAccessKey(r *http.Request) bool {
	key, secret := r.PostForm.Get("username"), r.PostForm.Get("password")
	return key != "" && secret != "" && matches(s.config.AccessKey, s.config.AccessKeySecret, key, secret)
}

// idToken is a JWT that says who a token is for. It is not signed.
func (s *Server) idToken(client string, now time.Time) string {
	encode := func(part map[string]any) string {
		text, err := json.Marshal(part)
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	tenant := s.config.tenants()[0]
	header := encode(map[string]any{"alg": "none", "typ": "JWT"})
	return header + "." + encode(map[string]any{
		"iss":      s.advertised("http"),
		"aud":      client,
		"sub":      "user:" + s.directory.agents[0],
		"tenantId": tenant,
		"tenant":   tenant,
		"name":     client,
		"iat":      now.Unix(),
		"exp":      now.Add(s.config.TokenTTL).Unix(),
	}) + "."
}

// eventHubSocket is GET /, if that is an upgrade.
func (s *Server) eventHubSocket(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		http.NotFound(w, r)
		return
	}
	if s.failUpgrade(w) {
		return
	}
	if query := r.URL.Query(); query.Get("tenantId") == "" || query.Get("userId") == "" {
		platformError(w, http.StatusBadRequest, "tenantId or userId is missing")
		return
	}
	s.accept(w, r, eventHub, nil, func(socket *socket) {
		socket.heard = func(text []byte) { s.eventHubHears(socket, text) }
	})
}

func (s *Server) eventHubHears(socket *socket, text []byte) {
	var said struct {
		Action  string `json:"action"`
		Payload struct {
			Token string `json:"token"`
		} `json:"payload"`
	}
	if json.Unmarshal(text, &said) != nil {
		return
	}
	t := s.trouble.now()
	switch g, holds := s.tokens.find(said.Payload.Token, time.Now()); {
	case said.Action != "register" && said.Action != "heartbeat":
	case t.RateLimited:
		socket.say(s.control("RATE_LIMIT_EXCEEDED"))
	case said.Action == "heartbeat":
		if !t.NoPong {
			socket.say(s.control("pong"))
		}
	case holds:
		socket.say(s.control("authorized"))
		s.hub.admit(socket, g)
	default:
		socket.say(s.control("unauthorized"))
		socket.close(websocket.ClosePolicyViolation, "unauthorized")
	}
}

// control is one of the event hub's own words.
func (s *Server) control(word string) []byte {
	if s.config.QuotedControl {
		return quoted(word)
	}
	return []byte(word)
}
