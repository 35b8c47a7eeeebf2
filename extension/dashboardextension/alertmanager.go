// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpguard"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

const (
	maxAlertsBytes  = 48 << 20 // of a response: some 20,000 alerts
	maxSilenceBytes = 64 << 10 // of a request
	maxFilterBytes  = 4 << 10  // of the parameters of a request
	maxAlertReads   = 2        // at a time: groups of many alerts are expensive to list
	compressFrom    = 4 << 10  // bytes
	// alertsFor is how long a response is used for further viewers, who all poll at the same time.
	alertsFor = time.Second
)

// alertmanagerAPI passes on the part of Alertmanager's API that the page uses: what lists alerts and
// silences, for all who may read the page, and what changes silences, for those who may.
type alertmanagerAPI struct {
	proxy     http.Handler
	config    *Config
	timeout   time.Duration
	logger    *zap.Logger
	receiving *requestbody.Budget
	limiter   *requestbody.Limiter
	send      func(http.ResponseWriter, *http.Request, cache.Answer)

	flight  singleflight.Group
	mutex   sync.Mutex
	latest  map[string]cache.Answer // by path and parameters, of the latest alertsFor
	since   time.Time               // when latest began
	changes int                     // of silences
}

// register adds the routes.
func (a *alertmanagerAPI) register(mux *http.ServeMux) {
	for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/silences", "/api/v2/silence/{id}"} {
		mux.HandleFunc("GET "+path, a.read)
	}
	mux.HandleFunc("POST /api/v2/silences", a.change)
	mux.HandleFunc("DELETE /api/v2/silence/{id}", a.change)
	mux.HandleFunc("POST /api/v1/drill", a.change)
}

// mayChange reports whether a request may change silences: with the endpoint's auth, which it has
// passed, or where the endpoint is on loopback and nothing forwards requests of others to it.
// That it is not of another origin is the guard's to check.
func (a *alertmanagerAPI) mayChange(r *http.Request) bool {
	if a.config.ServerConfig.Auth.HasValue() {
		return true
	}
	return a.config.onLoopback() && !forwarded(r.Header) && httpguard.Hosts{Loopback: true}.Allow(r)
}

// forwarded is whether a request has any header that proxies add, even one without a value.
func forwarded(header http.Header) bool {
	for name := range header {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// upstreamPath is the path to ask Alertmanager for: that of the route, with a checked id. The path
// of the viewer, whose escapes could lead anywhere, is not used.
func upstreamPath(r *http.Request) (string, error) {
	_, path, _ := strings.Cut(r.Pattern, " ")
	before, parametrised := strings.CutSuffix(path, "{id}")
	if !parametrised {
		return path, nil
	}
	if !uuid.MatchString(r.PathValue("id")) {
		return "", errors.New("the id of a silence must be a UUID")
	}
	return before + r.PathValue("id"), nil
}

// read serves one viewer. Equal requests at the same time are one to Alertmanager.
func (a *alertmanagerAPI) read(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > maxFilterBytes {
		a.send(w, r, refusal(http.StatusRequestURITooLong, "bad_data", fmt.Errorf("the parameters are longer than %d bytes", maxFilterBytes)))
		return
	}
	path, err := upstreamPath(r)
	if err != nil {
		a.send(w, r, refusal(http.StatusBadRequest, "bad_data", err))
		return
	}
	query := r.URL.RawQuery
	key := path + "?" + query
	if answer, known := a.known(key); known {
		a.send(w, r, answer)
		return
	}
	flight := a.flight.DoChan(key, func() (any, error) { //nolint:contextcheck // who asked first may leave
		asked := a.began()
		ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
		defer cancel()
		if err := a.limiter.Acquire(ctx); err != nil {
			return refusal(http.StatusServiceUnavailable, "unavailable", err), nil
		}
		defer a.limiter.Release()
		answer := compressed(a.ask(ctx, http.MethodGet, path, query, nil))
		a.keep(key, answer, asked)
		return answer, nil
	})
	select {
	case result := <-flight:
		a.send(w, r, result.Val.(cache.Answer))
	case <-r.Context().Done():
	}
}

// change passes on a change of a silence.
func (a *alertmanagerAPI) change(w http.ResponseWriter, r *http.Request) {
	if !a.mayChange(r) {
		a.send(w, r, refusal(http.StatusForbidden, "forbidden",
			errors.New("silences cannot be changed here: the endpoint has no auth and is not on loopback, or the request was forwarded; use amtool, or set auth")))
		return
	}
	path, err := upstreamPath(r)
	if err != nil {
		a.send(w, r, refusal(http.StatusBadRequest, "bad_data", err))
		return
	}
	if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		a.send(w, r, refusal(http.StatusUnsupportedMediaType, "bad_data", errors.New("the body must be application/json")))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSilenceBytes))
	if err != nil {
		a.send(w, r, refusal(http.StatusRequestEntityTooLarge, "bad_data", fmt.Errorf("the body cannot be read: %w", err)))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	defer cancel()
	answer := a.ask(ctx, r.Method, path, "", body)
	a.forget()
	a.logger.Info("Request through the page", zap.String("method", r.Method), zap.String("path", path),
		zap.String("client", r.RemoteAddr), zap.Int("status", answer.Status), zap.ByteString("body", body))
	a.send(w, r, answer)
}

// ask sends a request to Alertmanager. Nothing of the viewer's own request goes along.
func (a *alertmanagerAPI) ask(ctx context.Context, method, path, query string, body []byte) cache.Answer {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	claim := a.receiving.Claim(cancel)
	defer claim.Release()
	r, err := http.NewRequestWithContext(ctx, method, "/", bytes.NewReader(body))
	if err != nil {
		return refusal(http.StatusInternalServerError, "internal", err)
	}
	r.URL.Path, r.URL.RawQuery = path, query
	r.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	recorder := newRecorder(maxAlertsBytes, claim)
	a.proxy.ServeHTTP(recorder, r)
	return recorder.answer()
}

// compressed compresses a large response, once for all viewers.
func compressed(answer cache.Answer) cache.Answer {
	if len(answer.Body) < compressFrom || http.Header(answer.Header).Get("Content-Encoding") != "" {
		return answer
	}
	var out bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // a level that exists
	_, _ = writer.Write(answer.Body)                       // into memory
	_ = writer.Close()
	http.Header(answer.Header).Set("Content-Encoding", "gzip")
	answer.Body = out.Bytes()
	return answer
}

// known returns a response of the latest alertsFor.
func (a *alertmanagerAPI) known(key string) (cache.Answer, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if time.Since(a.since) > alertsFor {
		return cache.Answer{}, false
	}
	answer, known := a.latest[key]
	return answer, known
}

// began makes room for responses, and returns the number of changes before a request, for keep.
func (a *alertmanagerAPI) began() int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if now := time.Now(); now.Sub(a.since) > alertsFor {
		a.since, a.latest = now, map[string]cache.Answer{}
	}
	return a.changes
}

// keep keeps a response, unless a silence has changed since it was asked for. Two are kept, which
// are those of the page.
func (a *alertmanagerAPI) keep(key string, answer cache.Answer, asked int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if answer.Status == http.StatusOK && a.changes == asked && len(a.latest) < 2 {
		a.latest[key] = answer
	}
}

// forget drops the responses of before a change.
func (a *alertmanagerAPI) forget() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for key := range a.latest {
		a.flight.Forget(key)
	}
	for _, path := range []string{"/api/v2/alerts/groups?", "/api/v2/silences?", "/api/v2/alerts?"} { // in flight
		a.flight.Forget(path)
	}
	a.since, a.latest = time.Time{}, nil
	a.changes++
}
