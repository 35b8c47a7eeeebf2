// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/assert"
)

func says(name, help, unit string) storage.AppendV2Options {
	return storage.AppendV2Options{MetricFamilyName: name, Metadata: metadata.Metadata{Type: "gauge", Help: help, Unit: unit}}
}

func (f *families) held() (n int) {
	for name, m := range f.known {
		n += len(name) + len(m.Help) + len(m.Unit)
	}
	return n
}

// Whatever senders say of their metrics, all of it together takes little.
func TestMetadataIsBounded(t *testing.T) {
	t.Parallel()
	var f families
	f.note(says("long", strings.Repeat("é", 8<<10), strings.Repeat("u", 8<<10)))
	got, found := f.known["long"]
	assert.True(t, found)
	assert.Equal(t, strings.Repeat("é", maxHelp/2), got.Help)
	assert.Equal(t, strings.Repeat("u", maxUnit), got.Unit)
	f.note(says("odd", "x"+strings.Repeat("é", 8<<10), ""))
	got = f.known["odd"]
	assert.Equal(t, "x"+strings.Repeat("é", maxHelp/2-1), got.Help, "no half characters")

	for i := range maxFamilies {
		f.note(says("m"+strconv.Itoa(i), strings.Repeat("x", 16<<10), ""))
	}
	assert.Equal(t, f.held(), f.bytes)
	assert.LessOrEqual(t, f.bytes, maxFamilyBytes)
	assert.Greater(t, f.bytes, maxFamilyBytes-2*maxHelp)
	n := len(f.all())
	assert.Less(t, n, maxFamilies)

	f.note(says("long", "short", "s")) // it leaves room for others
	f.note(says("further", "x", ""))
	assert.Len(t, f.all(), n+1)
	assert.Equal(t, f.held(), f.bytes)

	var many families
	for i := range maxFamilies + 10 {
		many.note(says(strconv.Itoa(i), "", "s"))
	}
	assert.Len(t, many.all(), maxFamilies)
}
