// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/rs/cors"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/page"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpguard"
)

// readable is what is passed on of the Prometheus API: what reads, and nothing that
// administers or deletes. A name in braces stands for any. Nothing here needs format_query
// and parse_query, whose time grows faster than what they format.
var readable = []string{
	"/query", "/query_range", "/query_exemplars",
	"/labels", "/label/{name}/values", "/series", "/metadata", "/rules", "/alerts",
	"/status/buildinfo", "/status/runtimeinfo", "/status/flags", "/status/config", "/status/tsdb", "/status/walreplay",
}

// routes is all that the endpoint serves.
func (d *dashboard) routes() http.Handler {
	mux := http.NewServeMux()
	for _, path := range readable {
		mux.Handle("GET /api/v1"+path, d.queries)
		mux.Handle("POST /api/v1"+path, d.queries)
	}
	bodies := newBodies(d.config)
	if d.store != nil {
		// Writes have a limiter of their own, so that queries do not delay them.
		writes := newWrites(bodies(), d.health.arrived)
		mux.Handle("POST /api/v1/otlp/v1/metrics", writes.handler(d.store.WriteOTLP))
		mux.Handle("POST /api/v1/write", writes.handler(d.store.WriteRemote))
	}
	if d.alerts != nil {
		d.alerts.register(mux)
	}
	d.eventRoutes(mux, bodies)
	mux.HandleFunc("GET /api/page", d.describe)
	mux.HandleFunc("GET /healthz", d.healthz)
	mux.Handle("/api/", http.NotFoundHandler())
	mux.Handle("/", page.Handler())
	return d.guard(mux)
}

// guard rejects requests of other sites' pages, and sets the security headers that restrict
// the page to its own origin.
func (d *dashboard) guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	fromElsewhere := d.crossSite()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.allowsHost(r) {
			// Another site's name was made to point at this machine.
			http.Error(w, "this address is not known here; see allowed_hosts", http.StatusMisdirectedRequest)
			return
		}
		if fromElsewhere(r) {
			http.Error(w, "another site's page has no access to the API; see cors", http.StatusForbidden)
			return
		}
		header := w.Header()
		header.Set("Content-Security-Policy",
			"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

// crossSite is whether a request to the API comes from another site's page, and CORS does not
// allow that page's origin. Such a page cannot read the answer; but it could make us work.
func (d *dashboard) crossSite() func(*http.Request) bool {
	var allowed *cors.Cors
	if c := d.config.ServerConfig.CORS.Get(); c != nil && len(c.AllowedOrigins) > 0 {
		allowed = cors.New(cors.Options{AllowedOrigins: c.AllowedOrigins})
	}
	return func(r *http.Request) bool {
		if !httpguard.CrossSite(r) || !strings.HasPrefix(r.URL.Path, "/api/") {
			return false
		}
		return allowed == nil || r.Header.Get("Origin") == "" || !allowed.OriginAllowed(r)
	}
}

// allowsHost is whether a request is for a name that is known here. On loopback these are
// loopback's names, and allowed_hosts. Off loopback our names are not known unless
// allowed_hosts says them; then it holds, but for /healthz, which probes ask by address.
func (d *dashboard) allowsHost(r *http.Request) bool {
	if !d.config.onLoopback() && r.URL.Path == "/healthz" {
		return true
	}
	return httpguard.Hosts{Loopback: d.config.onLoopback(), Allowed: d.config.AllowedHosts}.Allow(r)
}

// description is what the page has to know.
type description struct {
	Version       string  `json:"version"`
	WindowSeconds float64 `json:"windowSeconds"`
	StepSeconds   float64 `json:"stepSeconds"`
	OffsetSeconds float64 `json:"offsetSeconds"`
	Source        string  `json:"source"` // embedded, prometheus
	Now           int64   `json:"now"`    // unix ms
	Newest        int64   `json:"newest"` // the end of the newest window to show, unix ms
	// Troubles are those of the receivers of this collector, none with StatusOK.
	Troubles []trouble `json:"troubles"`
	// Alertmanager is whether there is one to list alerts of; Silence, whether this viewer may silence them.
	Alertmanager bool `json:"alertmanager"`
	Silence      bool `json:"silence"`
	// EventsSeconds is how long events are kept; 0: they are not stored here.
	EventsSeconds float64      `json:"eventsSeconds"`
	Links         []LinkConfig `json:"links"`
}

// describe answers what a page asks before all else. One that polls just when a window
// closes asks to wait until it can be shown.
func (d *dashboard) describe(w http.ResponseWriter, r *http.Request) {
	d.queries.learn() //nolint:contextcheck // what it learns is for all viewers
	window := d.queries.schedule()
	newest := d.queries.newestReady(r.Context(), r.URL.Query().Has("wait"))
	source := "embedded"
	if d.store == nil {
		source = "prometheus"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(description{ // a viewer who has left needs no answer
		Version:       d.set.BuildInfo.Version,
		WindowSeconds: window.Size.Seconds(),
		StepSeconds:   window.Step.Seconds(),
		OffsetSeconds: window.Offset.Seconds(),
		Source:        source,
		Now:           time.Now().UnixMilli(),
		Newest:        newest.UnixMilli(),
		Troubles:      d.receivers.list(),
		Alertmanager:  d.alerts != nil,
		Silence:       d.alerts != nil && d.alerts.mayChange(r),
		EventsSeconds: d.eventsKept().Seconds(),
		Links:         append([]LinkConfig{}, d.config.Links...),
	})
}

// healthz is 200 while the store takes samples.
func (d *dashboard) healthz(w http.ResponseWriter, _ *http.Request) {
	if err := d.health.trouble(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
