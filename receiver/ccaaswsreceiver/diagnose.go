// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"

	"go.opentelemetry.io/collector/component"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/diagnosis"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

var _ diagnosis.Diagnoser = (*Config)(nil)

// Diagnose checks how the platform is reached and what the client may do there. It opens no
// socket.
func (c *Config) Diagnose(ctx context.Context, to *diagnosis.Report) {
	upstreamAPI, err := api.Lookup(c.Platform, c.API)
	if err != nil {
		to.Failed("configuration", "%v", err)
		return
	}
	config := c.upstream(upstreamAPI.Profile())
	at, err := upstreamAPI.Endpoints(config)
	if err != nil {
		to.Failed("configuration", "%v", err)
		return
	}
	proxy, err := c.proxy()
	if err != nil {
		to.Failed("configuration", "%v", err)
		return
	}
	security, err := c.TLS.LoadTLSConfig(ctx)
	if err != nil {
		to.Failed("tls", "%v; check tls", err)
		return
	}
	telemetry, err := metadata.NewTelemetryBuilder(component.TelemetrySettings{
		Logger: zap.NewNop(), MeterProvider: noopmetric.NewMeterProvider(), TracerProvider: nooptrace.NewTracerProvider(),
	})
	if err != nil {
		to.Failed("configuration", "%v", err)
		return
	}
	defer telemetry.Shutdown()
	client := newClient(proxy, security, &wsclient.Usage{Limit: c.Limits.RequestsPerMinute})
	defer client.CloseIdleConnections()
	api.Diagnose(ctx, upstreamAPI, &api.Diagnosis{Config: config, At: at, Client: client, Report: to},
		&api.Environment{Telemetry: telemetry, Logger: zap.NewNop()})
}
