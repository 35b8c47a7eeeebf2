// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// maxLine bounds a line of the recording.
const maxLine = 64 << 20

// replay applies the rules of a configuration to a recording.
func replay(ctx context.Context, config *alertconnector.Config, input io.Reader, stdout, stderr io.Writer) error {
	out := bufio.NewWriter(stdout)
	defer out.Flush()
	rules, err := alertconnector.NewReplay(config, func(alert alertconnector.ReplayedAlert) { printAlert(out, &alert) })
	if err != nil {
		return err
	}
	number, bad, err := feed(ctx, input, stderr, rules)
	printCounts(out, rules, number, bad)
	return err
}

// feed reads a recording line by line, for each of the replays. A line that is not valid is
// reported and skipped.
func feed(ctx context.Context, input io.Reader, stderr io.Writer, replays ...*alertconnector.Replay) (number, bad int, err error) {
	windows := make([]connector.Logs, len(replays))
	for i, next := range replays {
		if windows[i], err = toMetrics(ctx, next, stderr); err != nil {
			return 0, 0, err
		}
	}
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, maxLine)
	blocks := 0
	for lines.Scan() {
		number++
		blocks += bytes.Count(lines.Bytes(), []byte(`"eventName":"`+wsevent.EventBlock+`"`))
		for i, next := range replays {
			if err := line(ctx, lines.Bytes(), windows[i], next); err != nil {
				bad++
				fmt.Fprintf(stderr, "line %d: %v\n", number, err)
				break // the others would report the same
			}
		}
	}
	if blocks > 0 {
		fmt.Fprintf(stderr, "%d event blocks are skipped: they have events, and rules need windows; record what ws_window or ws_metrics emits\n", blocks)
	}
	return number, bad, lines.Err()
}

// toMetrics is the connector that turns window records into metrics. Records that are not
// valid are reported on stderr.
func toMetrics(ctx context.Context, next *alertconnector.Replay, stderr io.Writer) (connector.Logs, error) {
	factory := wsmetricsconnector.NewFactory()
	set := connector.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	set.Logger = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "message"}),
		zapcore.AddSync(stderr), zapcore.ErrorLevel))
	return factory.CreateLogsToMetrics(ctx, set, factory.CreateDefaultConfig(), next)
}

// line takes one line: OTLP logs or metrics as the file exporter writes them, or the
// body of a window record alone.
func line(ctx context.Context, text []byte, windows connector.Logs, rules *alertconnector.Replay) error {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}
	switch {
	case keys["resourceLogs"] != nil:
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return err
		}
		return windows.ConsumeLogs(ctx, logs)
	case keys["resourceMetrics"] != nil:
		metrics, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
		if err != nil {
			return err
		}
		return rules.ConsumeMetrics(ctx, metrics)
	case keys[wsevent.KeyFields] != nil:
		logs, err := bare(text)
		if err != nil {
			return err
		}
		return windows.ConsumeLogs(ctx, logs)
	default:
		return fmt.Errorf("neither OTLP nor a window record: it has none of resourceLogs, resourceMetrics, %s", wsevent.KeyFields)
	}
}

// bare makes a window record of its body.
func bare(text []byte) (plog.Logs, error) {
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		return plog.Logs{}, err
	}
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName(wsevent.ThroughputMetric)
	if err := record.Body().FromRaw(body); err != nil {
		return plog.Logs{}, err
	}
	_, err := wslog.DecodeRecord(record)
	return logs, err
}

func printAlert(out io.Writer, alert *alertconnector.ReplayedAlert) {
	series := make([]string, 0, len(alert.Series))
	for _, name := range slices.Sorted(maps.Keys(alert.Series)) {
		series = append(series, name+"="+alert.Series[name])
	}
	fmt.Fprintf(out, "%s  %-8s  %s %s  {%s}  %s", time.UnixMilli(alert.End).UTC().Format(time.RFC3339), alert.Status,
		alert.Rule, alert.Severity, strings.Join(series, ","), alert.Reason)
	for _, n := range []struct {
		name  string
		value *float64
	}{{"value", alert.Value}, {"threshold", alert.Threshold}, {"baseline", alert.Baseline}} {
		if n.value != nil {
			fmt.Fprintf(out, "  %s=%g", n.name, *n.value)
		}
	}
	if alert.Context != "" {
		fmt.Fprintf(out, "  %q", alert.Context)
	}
	fmt.Fprintln(out)
}

func printCounts(out io.Writer, rules *alertconnector.Replay, lines, bad int) {
	fmt.Fprintf(out, "\n%d lines, %d of them unreadable\n", lines, bad)
	for _, of := range rules.Counts() {
		fmt.Fprintf(out, "%s:", of.Rule)
		if len(of.Reasons) == 0 {
			fmt.Fprint(out, " no window of its metric")
		}
		for i, reason := range slices.Sorted(maps.Keys(of.Reasons)) {
			if i > 0 {
				fmt.Fprint(out, ",")
			}
			fmt.Fprintf(out, " %s %d", reason, of.Reasons[reason])
		}
		fmt.Fprintln(out)
	}
	skipped := rules.Skipped()
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(out, "%d samples were not judged: %s\n", skipped[reason], reason)
	}
}
