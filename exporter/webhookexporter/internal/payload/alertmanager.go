// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// AlertmanagerPath is where an Alertmanager takes alerts.
const AlertmanagerPath = "/api/v2/alerts"

// Alertmanager makes of an alert what Alertmanager takes. Labels are an alert's
// identity there, so that firing and resolved carry the same; all else is
// annotations.
//
// An alert whose end nobody told is over for Alertmanager after a few minutes,
// unless it is told again as Prometheus does. We tell again after hours, so a firing
// alert is given an end far enough ahead, which resolved replaces.
type Alertmanager struct {
	// ExpireAfter is that end, reckoned from now.
	ExpireAfter time.Duration
}

// postableAlert is one alert of Alertmanager's API.
type postableAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// dimensions are keys of the body that are labels.
var dimensions = []string{wsevent.TenantID, wsevent.Region, wsevent.ChannelType}

// Render implements Format.
func (a Alertmanager) Render(message *Message, now time.Time) (Payload, error) {
	body, isObject := message.Body.(map[string]any)
	if !isObject || message.AlertID == "" {
		return Payload{}, errors.New("no alert: format alertmanager takes records with an alert_id and an object as body")
	}
	rule := text(body[wsevent.KeyAlertMetric])
	if rule == "" {
		return Payload{}, fmt.Errorf("alert %s: body has no %s, which is its alertname", message.AlertID, wsevent.KeyAlertMetric)
	}
	alert := postableAlert{
		Labels:      labels(rule, body),
		Annotations: annotations(rule, message, body),
	}
	var err error
	if alert.StartsAt, alert.EndsAt, err = a.span(body, now); err != nil {
		return Payload{}, fmt.Errorf("alert %s: %w", message.AlertID, err)
	}
	out, err := json.Marshal([]postableAlert{alert})
	return Payload{Body: out, ContentType: JSON}, err
}

// span is from when to when the alert is to be active. Alertmanager merges what
// overlaps and keeps the earliest start, so the start of the first telling stays
// that of the whole episode.
func (a Alertmanager) span(body map[string]any, now time.Time) (start, end time.Time, err error) {
	windowStart, ok := millis(body[wsevent.KeyWindowStart])
	if !ok {
		return start, end, fmt.Errorf("%s: %v: no time in ms", wsevent.KeyWindowStart, body[wsevent.KeyWindowStart])
	}
	windowEnd, ok := millis(body[wsevent.KeyAlertWindowEnd])
	if !ok {
		return start, end, fmt.Errorf("%s: %v: no time in ms", wsevent.KeyAlertWindowEnd, body[wsevent.KeyAlertWindowEnd])
	}
	switch status := text(body[wsevent.KeyStatus]); status {
	case wsevent.StatusFiring:
		return windowEnd, later(now, windowEnd).Add(a.ExpireAfter), nil
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
		if value := plain(body[key]); value != "" {
			all[key] = value
		}
	}
	if level := text(body[wsevent.KeyAlertType]); level != "" {
		all["severity"] = level
	}
	all["alertname"] = rule
	return all
}

func annotations(rule string, message *Message, body map[string]any) map[string]string {
	all := map[string]string{}
	for _, extra := range entries(body[wsevent.KeyAnnotations]) {
		all[labelName(extra[0])] = extra[1]
	}
	all[wsevent.AlertID] = message.AlertID
	for key, from := range map[string]string{
		"description":             wsevent.KeyContext,
		wsevent.KeyAlertValue:     wsevent.KeyAlertValue,
		wsevent.KeyAlertThreshold: wsevent.KeyAlertThreshold,
		wsevent.KeyBaseline:       wsevent.KeyBaseline,
		wsevent.KeyRunbookURL:     wsevent.KeyRunbookURL,
		wsevent.KeyReason:         wsevent.KeyReason,
	} {
		if value := plain(body[from]); value != "" {
			all[key] = value
		}
	}
	all["summary"] = Summary(rule, body)
	return all
}

// Summary is an alert in a line.
func Summary(rule string, body map[string]any) string {
	var line strings.Builder
	line.WriteString(rule)
	if value := text(body[wsevent.KeyAlertValue]); value != "" {
		line.WriteString(" is " + value)
	}
	if threshold := text(body[wsevent.KeyAlertThreshold]); threshold != "" {
		line.WriteString(" (threshold " + threshold + ")")
	}
	separator := " for "
	for _, key := range dimensions {
		if value := plain(body[key]); value != "" {
			line.WriteString(separator + value)
			separator = ", "
		}
	}
	return line.String()
}

// entries are the pairs of an object whose values have a text.
func entries(object any) (pairs [][2]string) {
	from, _ := object.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(from)) { // in order, for cleaned names may meet
		if t := plain(from[key]); t != "" {
			pairs = append(pairs, [2]string{key, t})
		}
	}
	return pairs
}

// text is a value in words; empty for what has none.
func text(value any) string {
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

// millis reads a time in ms since the epoch, which JSON may have made a double.
func millis(value any) (time.Time, bool) {
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
