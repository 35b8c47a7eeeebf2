// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package ccaassim is a contact-centre platform on loopback: OAuth2, the pre-flight,
// the APIs' sockets with realistic traffic, faults on request, and the exact truth of
// what was sent. Its packages import in this direction only:
//
//	ccaassim                          server, pump, control endpoints, webhook sink
//	  api/{realtime,notifications,…}  one platform API each: endpoints and encoding
//	    api                           what they share: sockets, tokens, frames, round robin
//	      config                      settings and flags
//	      truth                       counts of what was sent, by series and outcome
//	        traffic                   which events happen, in which frames (pure)
//	          fault                   what goes wrong, and when
package ccaassim
