// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/gogo/protobuf/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage"
	converter "github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/otlpscan"
)

// WriteOTLP takes metrics by OTLP over HTTP, with the body of the request decompressed.
// What cannot be stored is reported as a partial success; the rest is stored.
func (s *Store) WriteOTLP(w http.ResponseWriter, r *http.Request, body []byte) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // none is rejected with the others that are none of ours
	request, err := decodeOTLP(kind, body)
	if err != nil {
		badRequest(w, err)
		return
	}
	t, err := s.write(r.Context(), func(ctx context.Context, app *countingAppender) error {
		return appendOTLP(ctx, app, request.Metrics())
	})
	if err != nil {
		notStored(w, err)
		return
	}
	answer := pmetricotlp.NewExportResponse()
	if n := t.rejections(); n > 0 {
		answer.PartialSuccess().SetRejectedDataPoints(int64(n))
		answer.PartialSuccess().SetErrorMessage(t.String())
	}
	marshal := answer.MarshalProto
	if kind == jsonType {
		marshal = answer.MarshalJSON
	}
	text, err := marshal()
	if err != nil {
		unavailable(w, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text) // who does not wait for the answer sends again, and nothing is stored twice
}

// requestLimits bound a request before it is decoded. The time to make labels of attributes grows with the
// square of their number.
var requestLimits = otlpscan.Limits{Messages: 1_000_000, Depth: 64, Attributes: 128}

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

func decodeOTLP(kind string, body []byte) (pmetricotlp.ExportRequest, error) {
	request := pmetricotlp.NewExportRequest()
	switch kind {
	case protobufType:
		if _, err := otlpscan.Protobuf(body, otlpscan.Metrics, requestLimits); err != nil {
			return request, err
		}
		return request, request.UnmarshalProto(body)
	case jsonType:
		if _, err := otlpscan.JSON(body, requestLimits); err != nil {
			return request, err
		}
		return request, request.UnmarshalJSON(body)
	}
	return request, fmt.Errorf("Content-Type %q is not taken; send %s or %s", kind, protobufType, jsonType)
}

// appendOTLP gives metrics the names that Prometheus gives them. Metrics of a kind
// that it does not know are counted, and the others go on.
func appendOTLP(ctx context.Context, app *countingAppender, metrics pmetric.Metrics) error {
	_, err := converter.NewPrometheusConverter(app).FromMetrics(ctx, metrics, converter.Settings{
		AddMetricSuffixes:                    true,
		LabelNameUnderscoreSanitization:      true,
		LabelNamePreserveMultipleUnderscores: true,
	})
	if err := errors.Join(app.failed, ctx.Err()); err != nil {
		return err
	}
	for _, e := range leaves(err) {
		app.tally.reject(Unsupported, e.Error())
	}
	return nil
}

// leaves are the errors that were joined.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

// WriteRemote takes samples by Prometheus's remote write 1.0, with the body decompressed.
// What cannot be stored is reported with a 400, as other receivers do; the rest is stored.
func (s *Store) WriteRemote(w http.ResponseWriter, r *http.Request, body []byte) {
	if kind := r.Header.Get("Content-Type"); strings.Contains(kind, "io.prometheus.write.v2") {
		http.Error(w, "remote write 2.0 is not taken; send prometheus.WriteRequest", http.StatusUnsupportedMediaType)
		return
	}
	if _, err := otlpscan.Protobuf(body, otlpscan.RemoteWrite, requestLimits); err != nil {
		badRequest(w, err)
		return
	}
	var request prompb.WriteRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		badRequest(w, fmt.Errorf("not a prometheus.WriteRequest: %w", err))
		return
	}
	t, err := s.write(r.Context(), func(_ context.Context, app *countingAppender) error { return appendRemote(app, request.Timeseries) })
	switch {
	case err != nil:
		notStored(w, err)
	case t.rejections() > 0:
		http.Error(w, t.String(), http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func appendRemote(app *countingAppender, series []prompb.TimeSeries) error {
	builder := labels.NewScratchBuilder(0)
	for _, one := range series {
		ls := one.ToLabels(&builder, nil)
		if !ls.Has(model.MetricNameLabel) || !ls.IsValid(model.UTF8Validation) {
			for range len(one.Samples) + len(one.Histograms) {
				app.tally.reject(Invalid, ls.String())
			}
			continue
		}
		options := storage.AppendV2Options{Exemplars: exemplars(&builder, one.Exemplars)}
		var ref storage.SeriesRef
		var err error
		for _, sample := range one.Samples {
			if ref, err = app.Append(ref, ls, 0, sample.Timestamp, sample.Value, nil, nil, options); err != nil {
				return err
			}
			options.Exemplars = nil // they belong to the series, and go with its first sample
		}
		for _, h := range one.Histograms {
			if h.IsFloatHistogram() {
				ref, err = app.Append(ref, ls, 0, h.Timestamp, 0, nil, h.ToFloatHistogram(), options)
			} else {
				ref, err = app.Append(ref, ls, 0, h.Timestamp, 0, h.ToIntHistogram(), nil, options)
			}
			if err != nil {
				return err
			}
			options.Exemplars = nil
		}
	}
	return nil
}

func exemplars(builder *labels.ScratchBuilder, from []prompb.Exemplar) []exemplar.Exemplar {
	var all []exemplar.Exemplar
	for _, e := range from {
		all = append(all, e.ToExemplar(builder, nil))
	}
	return all
}
