// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package promalert maps the body of an alert record to an alert of Prometheus's
// data model: labels, annotations, start and end. The webhook exporter posts it to an
// Alertmanager, the alertmanager exporter gives it to the embedded one.
package promalert

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Alert is an alert; its JSON is that of Alertmanager's API.
type Alert struct {
	// Labels are the identity: the same for firing and resolved.
	Labels map[string]string `json:"labels"`
	// Annotations are everything else that the body says.
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// AnnotationID is the annotation that holds the alert's id, the same for all records
// of an episode.
const AnnotationID = wsevent.AlertID

// dimensions are keys of the body that are labels.
var dimensions = []string{wsevent.TenantID, wsevent.Region, wsevent.ChannelType}

// New maps an alert. A firing alert ends expireAfter after now: Alertmanager resolves
// an alert that is not repeated, and the alert connector repeats after hours. A resolved
// record replaces that end. A heartbeat has an end of its own.
func New(id string, body any, now time.Time, expireAfter time.Duration) (Alert, error) {
	object, isObject := body.(map[string]any)
	if !isObject || id == "" {
		return Alert{}, errors.New("no alert: a record with an alert_id and an object as body is required")
	}
	rule := Text(object[wsevent.KeyAlertMetric])
	if rule == "" {
		return Alert{}, fmt.Errorf("alert %s: body has no %s, which is its alertname", id, wsevent.KeyAlertMetric)
	}
	start, end, err := span(object, now, expireAfter)
	if err != nil {
		return Alert{}, fmt.Errorf("alert %s: %w", id, err)
	}
	return Alert{Labels: labels(rule, object), Annotations: annotations(rule, id, object), StartsAt: start, EndsAt: end}, nil
}

// span returns when the alert starts and ends. Alertmanager merges alerts that overlap
// and keeps the earliest start, so the start of the first firing record stays that of
// the complete episode.
func span(body map[string]any, now time.Time, expireAfter time.Duration) (start, end time.Time, err error) {
	windowStart, ok := Millis(body[wsevent.KeyWindowStart])
	if !ok {
		return start, end, fmt.Errorf("%s: %v: no time in ms", wsevent.KeyWindowStart, body[wsevent.KeyWindowStart])
	}
	windowEnd, ok := Millis(body[wsevent.KeyAlertWindowEnd])
	if !ok {
		return start, end, fmt.Errorf("%s: %v: no time in ms", wsevent.KeyAlertWindowEnd, body[wsevent.KeyAlertWindowEnd])
	}
	switch status := Text(body[wsevent.KeyStatus]); status {
	case wsevent.StatusFiring:
		if ends, ok := Millis(body[wsevent.KeyEndsAt]); ok {
			return windowEnd, ends, nil
		}
		return windowEnd, later(now, windowEnd).Add(expireAfter), nil
	case wsevent.StatusResolved:
		return windowStart, windowEnd, nil
	default:
		return start, end, fmt.Errorf("%s: %q: must be firing or resolved", wsevent.KeyStatus, status)
	}
}

func labels(rule string, body map[string]any) map[string]string {
	all := map[string]string{}
	for _, extra := range entries(body[wsevent.KeyLabels]) {
		all[labelName(extra[0])] = extra[1]
	}
	for _, key := range dimensions {
		if value := Plain(body[key]); value != "" {
			all[key] = value
		}
	}
	if level := Text(body[wsevent.KeyAlertType]); level != "" {
		all["severity"] = level
	}
	all["alertname"] = rule
	return all
}

func annotations(rule, id string, body map[string]any) map[string]string {
	all := map[string]string{}
	for _, extra := range entries(body[wsevent.KeyAnnotations]) {
		all[labelName(extra[0])] = extra[1]
	}
	all[AnnotationID] = id
	for key, from := range map[string]string{
		"description":             wsevent.KeyContext,
		wsevent.KeyAlertValue:     wsevent.KeyAlertValue,
		wsevent.KeyAlertThreshold: wsevent.KeyAlertThreshold,
		wsevent.KeyBaseline:       wsevent.KeyBaseline,
		wsevent.KeyRunbookURL:     wsevent.KeyRunbookURL,
		wsevent.KeyReason:         wsevent.KeyReason,
		wsevent.KeyFaultDomain:    wsevent.KeyFaultDomain,
	} {
		if value := Plain(body[from]); value != "" {
			all[key] = value
		}
	}
	if ids := Traces(body); len(ids) > 0 {
		all[AnnotationTraces] = strings.Join(ids, ", ")
	}
	all["summary"] = Summary(rule, body)
	return all
}

// Summary returns an alert in one line, its numbers with 4 significant digits.
func Summary(rule string, body map[string]any) string {
	var line strings.Builder
	line.WriteString(rule)
	if value := short(body[wsevent.KeyAlertValue]); value != "" {
		line.WriteString(" is " + value)
	}
	if threshold := short(body[wsevent.KeyAlertThreshold]); threshold != "" {
		line.WriteString(" (threshold " + threshold + ")")
	}
	separator := " for "
	for _, key := range dimensions {
		if value := Plain(body[key]); value != "" {
			line.WriteString(separator + value)
			separator = ", "
		}
	}
	return line.String()
}

// short returns a value as text for a line that a person reads: a fraction has 4
// significant digits, and a whole number up to a million is left as it is.
func short(value any) string {
	number, ok := value.(float64)
	if !ok || number == math.Trunc(number) && math.Abs(number) < 1e6 {
		return Text(value)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(number, 'g', 4, 64), 64)
	if err != nil {
		return Text(value)
	}
	return Text(rounded)
}

// Plain returns a value as text without control and formatting characters, so that it is
// shown as it is: each is replaced by U+FFFD, but for tabs and line feeds.
func Plain(value any) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(Text(value), string(unicode.ReplacementChar)))
}

// entries are the pairs of an object whose values have a text.
func entries(object any) (pairs [][2]string) {
	from, _ := object.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(from)) { // in order, for cleaned names may meet
		if t := Plain(from[key]); t != "" {
			pairs = append(pairs, [2]string{key, t})
		}
	}
	return pairs
}

// Text returns a value as text; empty for nil.
func Text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		out, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(out)
	}
}

// labelName is a name that every Alertmanager takes: letters, digits and _.
func labelName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	if clean == "" || clean[0] >= '0' && clean[0] <= '9' {
		return "_" + clean
	}
	return clean
}

// Millis reads a time in ms since the epoch, which JSON may have made a double.
func Millis(value any) (time.Time, bool) {
	const latest = 253402300799999 // the end of the year 9999, past which JSON has no time
	var ms int64
	switch v := value.(type) {
	case int64:
		ms = v
	case float64:
		if !(v >= 0 && v <= latest) {
			return time.Time{}, false
		}
		ms = int64(v)
	default:
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), ms >= 0 && ms <= latest
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a.UTC()
	}
	return b
}
