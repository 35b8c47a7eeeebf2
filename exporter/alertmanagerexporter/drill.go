// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/embedded"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	drillTimeout    = 20 * time.Second
	maxDrillTimeout = 10 * time.Minute
	maxDrillBytes   = 64 << 10
	drillText       = "Drill: this is a test of the path of alerts. No action is needed."
)

// drillLabel marks the alert of a drill; its value is that of one drill.
const drillLabel = "drill"

// drillRequest is the body of a request for a drill; all of it is optional.
type drillRequest struct {
	// Labels are those of the alert, which decide where it is routed to.
	Labels map[string]string `json:"labels"`
}

// drillResponse is the result of a drill.
type drillResponse struct {
	Labels     map[string]string `json:"labels"`
	Delivered  bool              `json:"delivered"` // by every receiver
	Deliveries []drillDelivery   `json:"deliveries"`
}

type drillDelivery struct {
	Receiver    string  `json:"receiver"`
	Integration string  `json:"integration,omitempty"`
	Delivered   bool    `json:"delivered"`
	Seconds     float64 `json:"seconds,omitempty"` // until the receiver has accepted it, or the latest attempt
	Attempts    int     `json:"attempts"`
	Error       string  `json:"error,omitempty"`
}

// drill sends a marked alert as the alert connector does, responds with what becomes of it at each
// receiver, and resolves it.
func (e *alertmanagerExporter) drill(w http.ResponseWriter, r *http.Request) {
	timeout := drillTimeout
	if text := r.URL.Query().Get("timeout"); text != "" {
		var err error
		if timeout, err = time.ParseDuration(text); err != nil || timeout < time.Second || timeout > maxDrillTimeout {
			http.Error(w, fmt.Sprintf("timeout: %q: must be from 1s to %v", text, maxDrillTimeout), http.StatusBadRequest)
			return
		}
	}
	var request drillRequest
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDrillBytes))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil && !errors.Is(err, io.EOF) {
		http.Error(w, `the body must be {"labels": {…}}: `+err.Error(), http.StatusBadRequest)
		return
	}
	if !e.drilling.TryLock() {
		http.Error(w, "a drill is in progress", http.StatusConflict)
		return
	}
	defer e.drilling.Unlock()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + 10*time.Second))
	response, err := e.runDrill(r.Context(), request.Labels, timeout)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(response) // who has left needs no response
}

func (e *alertmanagerExporter) runDrill(ctx context.Context, labels map[string]string, timeout time.Duration) (*drillResponse, error) {
	id, begin := rand.Text(), time.Now()
	firing := drillRecord(id, labels, wsevent.StatusFiring, begin, begin, timeout)
	alerts, invalid := alertsOf(firing, begin, e.config.ExpireAfter)
	if len(invalid) > 0 {
		return nil, invalid[0]
	}
	watch, err := e.engine.Watch(alerts[0].Labels)
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	e.logger.Info("Drill begins", zap.String("drill", id), zap.Any("labels", alerts[0].Labels))
	if err = e.push(ctx, firing); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	deliveries := watch.Wait(waiting)
	if err = e.push(context.WithoutCancel(ctx), drillRecord(id, labels, wsevent.StatusResolved, begin, time.Now(), timeout)); err != nil {
		e.logger.Error("The alert of a drill is not resolved, and ends by itself", zap.String("drill", id), zap.Error(err))
	}
	response := &drillResponse{Labels: alerts[0].Labels, Delivered: len(deliveries) > 0}
	for _, d := range deliveries {
		response.Delivered = response.Delivered && d.Delivered
		response.Deliveries = append(response.Deliveries, describe(d))
		e.logger.Info("Drill", zap.String("drill", id), zap.String("receiver", d.Receiver), zap.String("integration", d.Integration),
			zap.Bool("delivered", d.Delivered), zap.Duration("after", d.After), zap.Error(d.Err))
	}
	return response, nil
}

func describe(d embedded.Delivery) drillDelivery {
	one := drillDelivery{Receiver: d.Receiver, Integration: d.Integration, Delivered: d.Delivered, Seconds: d.After.Seconds(), Attempts: d.Attempts}
	if d.Err != nil {
		one.Error = d.Err.Error()
	}
	return one
}

// drillRecord is the record of a drill's alert, as the alert connector emits alerts.
func drillRecord(id string, labels map[string]string, status string, begin, end time.Time, timeout time.Duration) plog.Logs {
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName(wsevent.AlertFiring)
	if status == wsevent.StatusResolved {
		record.SetEventName(wsevent.AlertResolved)
	}
	record.Attributes().PutStr(wsevent.AlertID, "drill-"+id)
	body := record.Body().SetEmptyMap()
	body.PutStr(wsevent.KeyAlertMetric, "Drill")
	body.PutStr(wsevent.KeyAlertType, "critical")
	body.PutStr(wsevent.KeyContext, drillText)
	body.PutStr(wsevent.KeyStatus, status)
	body.PutInt(wsevent.KeyWindowStart, begin.UnixMilli())
	body.PutInt(wsevent.KeyAlertWindowEnd, end.UnixMilli())
	body.PutInt(wsevent.KeyEndsAt, begin.Add(timeout+time.Minute).UnixMilli()) // where a crash leaves it
	extra := body.PutEmptyMap(wsevent.KeyLabels)
	for name, value := range labels {
		switch name {
		case "alertname":
			body.PutStr(wsevent.KeyAlertMetric, value)
		case "severity":
			body.PutStr(wsevent.KeyAlertType, value)
		case wsevent.TenantID, wsevent.Region, wsevent.ChannelType:
			body.PutStr(name, value)
		default:
			extra.PutStr(name, value)
		}
	}
	extra.PutStr(drillLabel, id)
	return logs
}
