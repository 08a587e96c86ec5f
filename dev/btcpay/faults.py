"""Faults on request: what goes wrong with the answers."""
import re
import socket
import time

from werkzeug.wrappers import Response

KINDS = ('status', 'page', 'hang', 'drop', 'half', 'wrong_json', 'slow')


def take(server, request):
    """:return: the fault that is to spoil this request's answer, or None"""
    with server.lock:
        for fault in server.faults:
            if not re.search(fault['path'], request.path):
                continue
            if fault['method'] not in (None, request.method):
                continue
            if fault['count'] is not None:
                fault['count'] -= 1
                if fault['count'] <= 0:
                    server.faults.remove(fault)
            return fault
    return None


def spoil(fault, request, make_response):
    """Answer with a fault.

    :param make_response: makes the right answer; with ``after`` the call takes effect first
    """
    kind = fault['kind']
    response = make_response() if fault['after'] or kind in ('half', 'slow') else None
    if kind == 'status':
        return Response('', status=fault['status'])
    if kind == 'page':  # by what stands before the server
        return Response('<h1>Nobody here</h1>', status=fault['status'], mimetype='text/html')
    if kind == 'wrong_json':
        return Response('{"id": "abc", "status', content_type='application/json; charset=utf-8')
    if kind == 'slow':
        time.sleep(fault['seconds'])
        return response
    if kind == 'hang':
        time.sleep(fault['seconds'])
    if kind == 'half':
        return _half(response)
    drop(request)
    return Response(status=500)  # nobody reads it: the connection is closed


def _half(response):
    """The headers promise the whole body, half of it comes."""
    body = response.get_data()
    half = Response(body[:len(body) // 2], response.status, response.headers)
    half.automatically_set_content_length = False
    half.headers['Content-Length'] = str(max(len(body), 2))
    half.headers['Connection'] = 'close'
    return half


def drop(request):
    """Close the connection without an answer."""
    connection = request.environ.get('werkzeug.socket')
    if connection is None:
        return
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the caller was faster
