// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

// The Collector's processors of the distribution do what their documentation says to our records.
func TestProcessorsOfTheCollector(t *testing.T) {
	t.Parallel()
	received := make(chan plog.Logs, 10)
	sink := serveOTLP(t, func(_ *http.Request, body []byte) error {
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return err
		}
		received <- request.Logs()
		return nil
	})
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }
	otlp, health, zpages := address(), address(), address()
	start(t, "otelcol-ccaas", []string{"OTLP=" + otlp, "HEALTH=" + health, "ZPAGES=" + zpages, "SINK=" + sink.URL},
		"--config", "testdata/processors.yaml")
	eventually(t, func() error {
		code, _, err := get("http://" + health)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("health: %d", code)
		}
		return err
	})
	code, _, err := get("http://" + zpages + "/debug/pipelinez")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, code)

	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("tenant_id", "acme_corp")
	resource.Resource().Attributes().PutStr("region", "us-east-1")
	for channel, note := range map[string]string{"internal": "dropped", "c1": "card 4111111111111111"} {
		record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.SetEventName("message.send")
		record.Attributes().PutStr("ccaas.channel.id", channel)
		record.Attributes().PutStr("ccaas.user.id", "u1")
		record.Attributes().PutStr("note", note)
	}
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, post("http://"+otlp+"/v1/logs", body, nil))

	out := <-received
	require.Equal(t, 1, out.LogRecordCount())
	got := out.ResourceLogs().At(0)
	instance, _ := got.Resource().Attributes().Get("service.instance.id")
	assert.Equal(t, "collector-1", instance.Str())
	attributes := got.ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw()
	assert.Equal(t, "acme_corp/us-east-1", attributes["gateway"])
	assert.Len(t, attributes["ccaas.user.id"], 64, "a hash")
	assert.Equal(t, "card ****", attributes["note"])
}
