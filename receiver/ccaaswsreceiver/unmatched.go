// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// unmatchedWarning is how long frames come without one event before that is logged.
	unmatchedWarning = 30 * time.Second
	// maxUnmatchedFrame is how much of the first frame is kept for its keys, in bytes.
	maxUnmatchedFrame = 64 << 10
	// maxKeys, maxKeyDepth and maxKeyLength bound what the log shows of a frame.
	maxKeys, maxKeyDepth, maxKeyLength = 60, 5, 64
)

// unmatched counts the frames of a connection up to its first event. It belongs to
// the owner of the batch.
type unmatched struct {
	matched bool      // there was an event
	since   time.Time // arrival of the first frame; zero: there was none
	frames  int64
	first   []byte // frame
	warned  bool
}

// add counts a frame that has no event, while there was none.
func (u *unmatched) add(text []byte, at time.Time) {
	if u.since.IsZero() {
		u.since, u.first = at, bytes.Clone(text[:min(len(text), maxUnmatchedFrame)])
	}
	u.frames++
}

// due is whether to warn now. It is once.
func (u *unmatched) due(now time.Time) bool {
	if u.matched || u.warned || u.since.IsZero() || now.Sub(u.since) < unmatchedWarning {
		return false
	}
	u.warned = true
	return true
}

// warnUnmatched logs that frames come and none of them has an event. Of the
// first it shows the keys, and no value.
func (c *connection) warnUnmatched(now time.Time, soFar *unmatched) {
	c.logger.Warn("Frames arrive, but none of them has an event; compare types and fields with the keys of the first frame",
		zap.Int64("frames", soFar.frames), zap.Duration("for", now.Sub(soFar.since)), zap.Strings("keys", keysOf(soFar.first)))
}

// keysOf are the paths of a frame's values, in the notation of fields, sorted. They
// show no value. What is not JSON has none.
func keysOf(text []byte) []string {
	var value any
	if json.NewDecoder(bytes.NewReader(text)).Decode(&value) != nil {
		return nil
	}
	if list, isList := value.([]any); isList && len(list) > 0 {
		value = list[0] // each is an event
	}
	keys := map[string]bool{}
	collectKeys(value, "", 0, keys)
	sorted := slices.Sorted(maps.Keys(keys))
	if len(sorted) > maxKeys {
		sorted = append(sorted[:maxKeys:maxKeys], fmt.Sprintf("… and %d more", len(sorted)-maxKeys))
	}
	return sorted
}

func collectKeys(value any, path string, depth int, into map[string]bool) {
	switch of := value.(type) {
	case map[string]any:
		if depth < maxKeyDepth {
			for key, inner := range of {
				collectKeys(inner, strings.TrimPrefix(path+"."+keyName(key), "."), depth+1, into)
			}
			return
		}
	case []any:
		if depth < maxKeyDepth && len(of) > 0 {
			collectKeys(of[0], path+"[0]", depth+1, into)
			return
		}
	}
	if path != "" {
		into[path] = true
	}
}

// keyName is a key as the log shows it. One that does not look like a name may be a
// value, such as a phone number or an address, and is not shown.
func keyName(key string) string {
	if len(key) > maxKeyLength || key == "" || strings.ContainsFunc(key, notName) || strings.Trim(key, "0123456789-_") == "" {
		return "[redacted]"
	}
	return key
}

func notName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '$'
}
