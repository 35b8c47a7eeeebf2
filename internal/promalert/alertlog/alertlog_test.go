// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertlog

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestBody(t *testing.T) {
	t.Parallel()
	object := pcommon.NewValueMap()
	object.Map().PutStr("a", "b")
	for _, one := range []struct {
		body pcommon.Value
		want any
	}{
		{object, map[string]any{"a": "b"}},
		{pcommon.NewValueStr(`{"a":"b"}`), map[string]any{"a": "b"}},
		{pcommon.NewValueStr(`{"a":`), `{"a":`},
		{pcommon.NewValueInt(3), int64(3)},
		{pcommon.NewValueEmpty(), nil},
	} {
		assert.Equal(t, one.want, Body(one.body))
	}
}
