"""Every code sample of the user's document as it stands there, with the indentation that the document has lost."""

BASE_URL = "https://your-proxy-domain.com"
KEY = "your-google-api-key-here"
PICTURE_PATH = "path/to/your/image.png"

OPENAI_CLIENT = """
from openai import OpenAI
# 사용자 정의 기본 URL 및 API 키로 클라이언트 초기화
client = OpenAI(
    base_url="https://your-proxy-domain.com/v1",
    api_key="your-google-api-key-here"
)
"""

OPENAI_GENERATE = """
from openai import OpenAI
client = OpenAI(
    base_url="https://your-proxy-domain.com/v1",
    api_key="your-google-api-key-here"
)
response = client.images.generate(
    model="google/gemini-2.5-flash-image",
    prompt="미래 도시의 네온사인 거리를 걷는 사이버펑크 고양이",
    n=1,
    size="1024x1024"
)
print(response.data[0].url)
"""

OPENAI_ASPECT_RATIO = """
response = client.images.generate(
    model="google/gemini-2.5-flash-image",
    prompt="광활한 알프스 산맥의 풍경, 초현실적인 스타일",
    extra_body={
        "aspect_ratio": "16:9" # 16:9, 4:3, 1:1 등 지원
    }
)
print(response.data[0].url)
"""

OPENAI_EDIT = """
import base64
# 이미지를 Base64로 인코딩
with open("path/to/your/image.png", "rb") as image_file:
    encoded_image = base64.b64encode(image_file.read()).decode('utf-8')
response = client.images.generate(
    model="google/gemini-2.5-flash-image",
    prompt="이 이미지를 파란색 톤으로 변환해주세요",
    extra_body={
        "image": encoded_image
    }
)
print(response.data[0].url)
"""

OPENAI_ASYNC = """
import asyncio
from openai import AsyncOpenAI
async def main():
    client = AsyncOpenAI(
        base_url="https://your-proxy-domain.com/v1",
        api_key="your-google-api-key-here"
    )
    response = await client.images.generate(
        model="google/gemini-2.5-flash-image",
        prompt="수채화 스타일의 봄꽃 정원"
    )
    print(response.data[0].url)
asyncio.run(main())
"""

GOOGLE_CLIENT = """
from google import genai
# 프록시 서버를 가리키도록 클라이언트 초기화
client = genai.Client(
    api_key="your-google-api-key-here",
    http_options={"base_url": "https://your-proxy-domain.com"}
)
"""

GOOGLE_GENERATE = """
from google import genai
client = genai.Client(
    api_key="your-google-api-key-here",
    http_options={"base_url": "https://your-proxy-domain.com"}
)
response = client.models.generate_content(
    model="google/gemini-2.5-flash-image",
    contents="미래 도시의 네온사인 거리를 걷는 사이버펑크 고양이"
)
# 생성된 이미지 처리
for candidate in response.candidates:
    for part in candidate.content.parts:
        if part.inline_data and part.inline_data.data:
            # part.inline_data.data는 이미지의 base64 인코딩된 바이트입니다
            image_data = part.inline_data.data
            print(f"Generated image: {len(image_data)} bytes")
"""

GOOGLE_EDIT = """
from google import genai
from PIL import Image
client = genai.Client(
    api_key="your-google-api-key-here",
    http_options={"base_url": "https://your-proxy-domain.com"}
)
# 편집할 이미지 로드
source_image = Image.open("path/to/your/image.png")
response = client.models.generate_content(
    model="google/gemini-2.5-flash-image",
    contents=[
        "이 이미지를 파란색 톤으로 변환해주세요",
        source_image
    ]
)
# 생성된 이미지 처리
for candidate in response.candidates:
    for part in candidate.content.parts:
        if part.inline_data and part.inline_data.data:
            image_data = part.inline_data.data
            print(f"Edited image: {len(image_data)} bytes")
"""

GOOGLE_USAGE = """
response = client.models.generate_content(
    model="google/gemini-2.5-flash-image",
    contents="환상적인 풍경"
)
if hasattr(response, 'usage_metadata'):
    print(f"Prompt tokens: {response.usage_metadata.prompt_token_count}")
    print(f"Total tokens: {response.usage_metadata.total_token_count}")
    print(f"Completion tokens: {response.usage_metadata.total_token_count - response.usage_metadata.prompt_token_count}")
"""  # noqa: E501

OPENAI_ERRORS = """
from openai import OpenAI, APIError, RateLimitError, AuthenticationError
client = OpenAI(
    base_url="https://your-proxy-domain.com/v1",
    api_key="your-google-api-key-here"
)
try:
    response = client.images.generate(
        model="google/gemini-2.5-flash-image",
        prompt="테스트 이미지"
    )
    print(response.data[0].url)
except AuthenticationError:
    print("인증 실패: API 키를 확인하세요.")
except RateLimitError:
    print("속도 제한 초과: 잠시 후 다시 시도하세요.")
except APIError as e:
    print(f"API 오류: {e}")
"""

GOOGLE_ERRORS = """
from google import genai
client = genai.Client(
    api_key="your-google-api-key-here",
    http_options={"base_url": "https://your-proxy-domain.com"}
)
try:
    response = client.models.generate_content(
        model="google/gemini-2.5-flash-image",
        contents="테스트 이미지"
    )
    for candidate in response.candidates:
        for part in candidate.content.parts:
            if part.inline_data:
                print(f"Success: {len(part.inline_data.data)} bytes")
except Exception as e:
    print(f"오류 발생: {str(e)}")
"""

EXPORTS = """
export GOOGLE_API_KEY="your-google-api-key-here"
export OPENAI_BASE_URL="https://your-proxy-domain.com/v1"
"""

ENVIRONMENT_OPENAI = """
import os
from openai import OpenAI
client = OpenAI(
    base_url=os.getenv("OPENAI_BASE_URL"),
    api_key=os.getenv("GOOGLE_API_KEY")
)
"""

ENVIRONMENT_GOOGLE = """
import os
from google import genai
client = genai.Client(
    api_key=os.getenv("GOOGLE_API_KEY"),
    http_options={"base_url": os.getenv("OPENAI_BASE_URL").replace("/v1", "")}
)
"""

MIGRATION = """
# 이전 (OpenAI 공식)
client = OpenAI(api_key="sk-...")
# 이후 (프록시)
client = OpenAI(
    base_url="https://your-proxy-domain.com/v1",
    api_key="your-google-api-key"
)
"""

# The one sample that writes the key another way.
MIGRATION_KEY = "your-google-api-key"

SAMPLES = {
    name: text for name, text in vars().items() if isinstance(text, str) and text.startswith("\n") and name.isupper()
}
