// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpguard"
)

// maxRequests bounds the requests that the API works on at a time; groups of many alerts
// are expensive to list.
const maxRequests = 16

// serve opens the API.
func (e *alertmanagerExporter) serve(ctx context.Context, host component.Host) error {
	if !e.config.API.HasValue() {
		return nil
	}
	config := e.config.API.Get()
	mux := http.NewServeMux()
	mux.Handle("/api/v2/", e.engine.Handler())
	mux.HandleFunc("POST /api/v1/drill", e.drill)
	hosts := httpguard.Hosts{Loopback: httpguard.OnLoopback(config.ServerConfig.NetAddr), Allowed: config.AllowedHosts}
	server, err := config.ServerConfig.ToServer(ctx, host.GetExtensions(), e.set.TelemetrySettings, httpguard.Handler(hosts, limited(maxRequests, recovered(e.logger, mux))))
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	listener, err := config.ServerConfig.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("api::endpoint: %w", err)
	}
	e.server = server
	e.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
	e.logger.Info("Alertmanager API is open", zap.String("address", listener.Addr().String()))
	return nil
}

// recovered answers 500 to a request on which upstream panics, and logs one line.
func recovered(logger *zap.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint,err113 // the server compares it so
				panic(cause)
			}
			logger.Warn("Request to the Alertmanager API failed", zap.String("method", r.Method), zap.String("path", r.URL.Path),
				zap.String("cause", fmt.Sprint(cause)))
			http.Error(w, "the request could not be processed", http.StatusInternalServerError)
		}()
		next.ServeHTTP(w, r)
	})
}

// limited serves a number of requests at a time, and refuses more with 503.
func limited(most int, next http.Handler) http.Handler {
	slots := make(chan struct{}, most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			http.Error(w, "too many requests at a time", http.StatusServiceUnavailable)
		}
	})
}
