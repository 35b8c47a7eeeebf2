// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package promapi serves the reading part of Prometheus's HTTP API from a query engine and a
// storage. It has no targets, no rules and no Alertmanagers, so it does without Prometheus's own
// package, whose OpenAPI document alone is a tenth of what the collector takes to compile.
package promapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// Storage is what is queried.
type Storage interface {
	storage.Queryable
	storage.ExemplarQueryable
	prometheus.Gatherer // of the database's own metrics
	// Stats are those of the head, with at most limit entries a list.
	Stats(byLabel string, limit int) *tsdb.Stats
	// Families returns what is known of metrics, by name.
	Families() map[string]metadata.Metadata
}

// Options are what an API is made of.
type Options struct {
	Engine    *promql.Engine
	Parser    parser.Parser
	Storage   Storage
	Version   string        // of the collector
	Retention time.Duration // of the storage
	Logger    *slog.Logger
}

type api struct {
	Options
	started time.Time
}

// New returns a handler of GET and POST requests below /api/v1. Their form is parsed by it.
func New(options Options) http.Handler {
	a := &api{Options: options, started: time.Now()}
	mux := http.NewServeMux()
	for path, answer := range map[string]func(*http.Request) (result, error){
		"/query":               a.query,
		"/query_range":         a.queryRange,
		"/query_exemplars":     a.queryExemplars,
		"/labels":              a.labelNames,
		"/label/{name}/values": a.labelValues,
		"/series":              a.series,
		"/metadata":            a.metadata,
		"/rules":               constant(map[string]any{"groups": []any{}}),
		"/alerts":              constant(map[string]any{"alerts": []any{}}),
		"/status/buildinfo":    a.buildInfo,
		"/status/runtimeinfo":  a.runtimeInfo,
		"/status/flags":        a.flags,
		"/status/config":       a.config,
		"/status/tsdb":         a.databaseStatus,
		"/status/walreplay":    constant(map[string]int{"min": 0, "max": 0, "current": 0}), // it is over once there is an API
	} {
		mux.HandleFunc("GET /api/v1"+path, a.handle(answer))
		mux.HandleFunc("POST /api/v1"+path, a.handle(answer))
	}
	return gzhttp.GzipHandler(mux)
}

func constant(data any) func(*http.Request) (result, error) {
	return func(*http.Request) (result, error) { return result{data: data}, nil }
}

func (a *api) handle(answer func(*http.Request) (result, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		if err != nil {
			refuse(w, badData(err))
			return
		}
		answered, err := answer(r)
		defer answered.close()
		if err != nil {
			refuse(w, err)
			return
		}
		if err := answered.write(w, r.Form.Get("query")); err != nil {
			a.Logger.Debug("The answer to a query was not written", "path", r.URL.Path, "error", err)
		}
	}
}

// failure is an error with Prometheus's name for its kind, and the status of the answer.
type failure struct {
	error
	kind   string
	status int
}

func (f failure) Unwrap() error { return f.error }

func badData(err error) error { return failure{err, "bad_data", http.StatusBadRequest} }

func internal(err error) error { return failure{err, "internal", http.StatusInternalServerError} }

// statusCanceled is what Prometheus answers when the client has left.
const statusCanceled = 499

// failed is an error of evaluating a query or reading the storage.
func failed(err error) error {
	_, canceled := errors.AsType[promql.ErrQueryCanceled](err)
	_, timeout := errors.AsType[promql.ErrQueryTimeout](err)
	_, inStorage := errors.AsType[promql.ErrStorage](err)
	switch {
	case canceled, errors.Is(err, context.Canceled):
		return failure{err, "canceled", statusCanceled}
	case timeout:
		return failure{err, "timeout", http.StatusServiceUnavailable}
	case inStorage:
		return internal(err)
	default:
		return failure{err, "execution", http.StatusUnprocessableEntity}
	}
}
