// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"io"
	"net/http"
	"strconv"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
)

// BenchmarkPush is what an alert costs us, signed, in each format, without queue and
// network.
func BenchmarkPush(b *testing.B) {
	for _, format := range []string{payload.FormatNative, payload.FormatAlertmanager, payload.FormatTemplate} {
		b.Run(format, func(b *testing.B) {
			config := createDefaultConfig().(*Config)
			config.ClientConfig.Endpoint, config.Secret, config.Format = "https://alerts.example.com", secret, format
			if format == payload.FormatTemplate {
				config.Template.Body = `{"text": {{ toJSON .Summary }}, "details": {{ toJSON .Body }}}`
			}
			made, err := newExporter(b.Context(), exportertest.NewNopSettings(component.MustNewType("webhook")), config)
			if err != nil {
				b.Fatal(err)
			}
			e := made.(*webhookExporter)
			e.transport = roundTripper(func(request *http.Request) (*http.Response, error) {
				_, _ = io.Copy(io.Discard, request.Body)
				return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: request}, nil
			})
			if err := e.Start(b.Context(), componenttest.NewNopHost()); err != nil {
				b.Fatal(err)
			}
			const count = 100
			var batch [][2]string
			for i := range count {
				batch = append(batch, [2]string{strconv.Itoa(i), "firing"})
			}
			logs := alerts(batch...)
			b.ReportAllocs()
			for b.Loop() {
				if err := e.push(b.Context(), logs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/count, "µs/alert")
			if err := e.Shutdown(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
