// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// plainText is a warning for each address of another host to which the configuration
// sends, or from which it reads, in plain text. tls::insecure: true says that it is
// intended.
func plainText(conf map[string]any) []string {
	var warnings []string
	for _, section := range []string{"exporters", "receivers", "service"} {
		p := plainTextFinder{}
		p.walk(section, conf[section])
		warnings = append(warnings, p.warnings...)
	}
	return warnings
}

type plainTextFinder struct{ warnings []string }

// walk looks at each part of a configuration.
func (p *plainTextFinder) walk(path string, value any) {
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			p.walk(path+"::"+strconv.Itoa(i), item)
		}
	case map[string]any:
		tls, _ := v["tls"].(map[string]any)
		if insecure, _ := tls["insecure"].(bool); insecure {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			here := path + "::" + key
			if text, ok := v[key].(string); ok && (key == "endpoint" || strings.HasSuffix(key, "_endpoint")) {
				p.endpoint(here, text)
			}
			if key == "brokers" && v["tls"] == nil {
				p.brokers(here, v[key])
			}
			p.walk(here, v[key])
		}
	}
}

func (p *plainTextFinder) endpoint(path, text string) {
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Scheme, "http") || isLoopback(u.Hostname()) {
		return
	}
	p.warnings = append(p.warnings, fmt.Sprintf(
		"%s: http://%s: data goes to another host in plain text; write https://, or tls: {insecure: true} beside it where that is intended", path, u.Host))
}

func (p *plainTextFinder) brokers(path string, value any) {
	brokers, isList := value.([]any)
	if !isList {
		brokers = []any{value}
	}
	for _, broker := range brokers {
		address, _ := broker.(string)
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		if host == "" || isLoopback(host) {
			continue
		}
		p.warnings = append(p.warnings, fmt.Sprintf(
			"%s: %s: data goes to another host in plain text; add tls: {} and auth, or tls: {insecure: true} where that is intended", path, address))
		return // one is enough
	}
}

func isLoopback(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
